"""Answers agree with the protocol's own description, and with the one that MLServer publishes."""

import html
import importlib.util
import json
import tomllib
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from starlette.testclient import TestClient

from services.serving.v2 import metadata
from tests.services.serving.conftest import FEATURES, ROW
from tests.services.serving.v2 import protocol
from tests.services.serving.v2.speaking import HEADER, INFER, columns, tensor

# path: the schema, and the name of MLServer's
GETS: dict[str, tuple[protocol.Schema, str]] = {
    "/v2": (protocol.SERVER, "MetadataServerResponse"),
    "/v2/": (protocol.SERVER, "MetadataServerResponse"),
    "/v2/health/live": (protocol.LIVE, ""),
    "/v2/health/ready": (protocol.SERVER_READY, ""),
    "/v2/models/house": (protocol.MODEL, "MetadataModelResponse"),
    "/v2/models/house/versions/7": (protocol.MODEL, "MetadataModelResponse"),
    "/v2/models/house/ready": (protocol.MODEL_READY, ""),
    "/v2/models/house/versions/7/ready": (protocol.MODEL_READY, ""),
}


def _agrees(document: Any, schema: protocol.Schema, published: str) -> None:
    jsonschema.validate(document, schema)
    found = importlib.util.find_spec("mlserver")
    if found is not None and found.origin is not None and published:
        described = json.loads((Path(found.origin).parent / "rest" / "openapi" / "dataplane.json").read_text())
        # A type that JSON Schema has not stands for the binary form there.
        described["components"]["schemas"]["TensorData"] = {"type": "array"}
        jsonschema.validate(document, described | {"$ref": f"#/components/schemas/{published}"})


@pytest.mark.parametrize(("path", "schema"), GETS.items(), ids=GETS)
@pytest.mark.parametrize("kind", ["client", "classes_client", "number_client"])
def test_what_is_read_agrees(
    request: pytest.FixtureRequest, kind: str, path: str, schema: tuple[protocol.Schema, str]
) -> None:
    client: TestClient = request.getfixturevalue(kind)
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (200, "application/json")
    _agrees(answer.json(), *schema)


@pytest.mark.parametrize("as_bytes", [False, True], ids=["JSON", "binary"])
@pytest.mark.parametrize("kind", ["client", "classes_client"])
def test_inference_agrees(request: pytest.FixtureRequest, kind: str, as_bytes: bool) -> None:
    client: TestClient = request.getfixturevalue(kind)
    rows = [ROW, ROW | {"age": 130}]  # one with a warning
    body = {"id": "42", "inputs": columns(rows), "parameters": {"binary_data_output": as_bytes}}
    answer = client.post(INFER, json=body)
    document = json.loads(answer.content[: int(answer.headers.get(HEADER, len(answer.content)))])
    _agrees(document, protocol.RESPONSE, "" if as_bytes else "InferenceResponse")
    assert document["id"] == "42"


@pytest.mark.parametrize(
    ("method", "path", "published"),
    [
        ("POST", INFER, "InferenceErrorResponse"),
        ("GET", "/v2/models/none", "MetadataModelErrorResponse"),
        ("GET", "/v2/none", "MetadataServerErrorResponse"),
        ("GET", INFER, "InferenceErrorResponse"),
    ],
)
def test_refusal_agrees(client: TestClient, method: str, path: str, published: str) -> None:
    answer = client.request(method, path)
    assert answer.status_code >= 400
    _agrees(answer.json(), protocol.ERROR, published)


def test_model_of_columns_names_one_tensor_a_feature(client: TestClient) -> None:
    document = client.get("/v2/models/house").json()
    assert (document["name"], document["versions"], document["platform"]) == ("house", ["7"], "onnxruntime_onnx")
    assert document["inputs"] == [
        {"name": name, "datatype": datatype, "shape": [-1]}
        for name, datatype in zip(
            [feature.name for feature in FEATURES], ["FP32", "INT64", "BYTES", "BYTES", "BYTES"], strict=True
        )
    ]
    assert document["outputs"] == [
        {"name": name, "datatype": "FP32", "shape": [-1]} for name in ("prediction", "lower", "upper")
    ]


def test_model_of_numbers_names_one_tensor(number_client: TestClient) -> None:
    document = number_client.get("/v2/models/house").json()
    assert document["inputs"] == [{"name": "rows", "datatype": "FP32", "shape": [-1, 3]}]


def test_classification_names_labels_and_probabilities(classes_client: TestClient) -> None:
    assert classes_client.get("/v2/models/house").json()["outputs"] == [
        {"name": "prediction", "datatype": "BYTES", "shape": [-1]},
        {"name": "probabilities", "datatype": "FP32", "shape": [-1, 2]},
    ]


@pytest.mark.parametrize("kind", ["client", "classes_client", "number_client"])
def test_request_that_follows_the_metadata_is_answered_as_it_promises(
    request: pytest.FixtureRequest, kind: str
) -> None:
    client: TestClient = request.getfixturevalue(kind)
    document = client.get("/v2/models/house").json()
    values = ROW | {"rows": [41.5, 6, 80.25]}
    inputs = []
    for entry in document["inputs"]:
        data = values[entry["name"]]
        shape = [1 if size == -1 else size for size in entry["shape"]]
        inputs.append(tensor(entry["name"], entry["datatype"], data if isinstance(data, list) else [data], shape))
    outputs = client.post(INFER, json={"inputs": inputs}).json()["outputs"]
    promised = [
        (entry["name"], entry["datatype"], [1 if size == -1 else size for size in entry["shape"]])
        for entry in document["outputs"]
    ]
    assert [(entry["name"], entry["datatype"], entry["shape"]) for entry in outputs] == promised


@pytest.mark.parametrize("kind", ["client", "classes_client", "number_client"])
def test_openapi_describes_the_routes_and_its_example_works(request: pytest.FixtureRequest, kind: str) -> None:
    client: TestClient = request.getfixturevalue(kind)
    document = client.get("/openapi.json").json()
    routes = {path: methods for path, methods in document["paths"].items() if path.startswith("/v2")}
    assert len(routes) == 9
    body = routes[INFER]["post"]["requestBody"]["content"]["application/json"]
    example = body["examples"]["one row"]["value"]
    resolvable = {"components": document["components"]}
    jsonschema.validate(example, resolvable | body["schema"])
    for path, methods in routes.items():
        answer = client.post(path, json=example) if "post" in methods else client.get(path)
        assert answer.status_code == 200, answer.text
        if "post" in methods:
            jsonschema.validate(answer.json(), resolvable | {"$ref": "#/components/schemas/InferResponse"})
    assert json.dumps(example["inputs"][0]["name"]) in html.unescape(client.get("/docs").text)


def test_servers_version_is_the_projects() -> None:
    project = tomllib.loads(Path("pyproject.toml").read_text())["project"]
    assert (project["name"], project["version"]) == (metadata.NAME, metadata.VERSION)
