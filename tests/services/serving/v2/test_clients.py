"""Clients that were written for other servers speak to this one as they are.

Triton's comes with the development group. MLServer's codecs and KServe's client bring gRPC, OpenTelemetry and more:
where they are installed (`uv pip install mlserver kserve`, some 200 MB), they are tried too. Each runs in a process of
its own: the two describe the same gRPC messages, which one process takes once.
"""

import importlib.util
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from tests.services.serving.conftest import ROW, Made, Running
from tests.services.serving.v2.conftest import NUMBER_ROW

pytestmark = pytest.mark.slow
Start = Callable[..., Running]
SUM = 41.5 + 6 + 1 + 1 + 13938


def _needs(module: str) -> pytest.MarkDecorator:
    absent = importlib.util.find_spec(module) is None
    return pytest.mark.skipif(absent, reason=f"{module} is not installed: uv pip install {module}")


def _run(program: str, *arguments: str) -> Any:
    """What a program of a client prints, as JSON."""
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", program, *arguments],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout.splitlines()[-1])


TRITON = """
import json, sys
import numpy as np
from tritonclient.http import InferenceServerClient, InferInput, InferRequestedOutput
from tritonclient.utils import InferenceServerException

client = InferenceServerClient(sys.argv[1])
kinds = {"FP32": np.float32, "FP64": np.float64, "INT64": np.int64, "BYTES": np.object_}
found = {
    "live": client.is_server_live(),
    "ready": client.is_server_ready(),
    "model ready": client.is_model_ready("house", "7"),
    "other ready": client.is_model_ready("other"),
    "server": client.get_server_metadata(),
    "model": client.get_model_metadata("house"),
}
inputs = {"JSON": [], "binary": []}
for name, (datatype, shape, data) in json.loads(sys.argv[2]).items():
    values = np.array(data, dtype=kinds[datatype]).reshape(shape)
    for form, made in inputs.items():
        made.append(InferInput(name, shape, datatype).set_data_from_numpy(values, binary_data=form == "binary"))
asked = [
    None,
    [InferRequestedOutput("prediction", binary_data=False)],
    [InferRequestedOutput("prediction", binary_data=True)],
]
found["answers"] = []
for made in inputs.values():
    for outputs in asked:
        result = client.infer("house", made, model_version="7", request_id="42", outputs=outputs)
        assert result.get_response()["id"] == "42"
        named = [output["name"] for output in result.get_response()["outputs"]]
        answered = {name: result.as_numpy(name).tolist() for name in named}
        found["answers"].append({
            name: [v.decode() if isinstance(v, bytes) else v for v in values] for name, values in answered.items()
        })
try:
    client.infer("house", inputs["binary"][1:])
except InferenceServerException as err:
    found["refused"] = [err.status(), err.message()]
print(json.dumps(found))
"""


@_needs("tritonclient")
@pytest.mark.parametrize("kind", ["regression", "classification", "numbers"])
def test_tritons_client_is_served(request: pytest.FixtureRequest, start: Start, kind: str) -> None:
    made: Made = request.getfixturevalue(kind)
    running = start(made.settings)
    given = {
        "age": ("FP32", [2, 1], [41.5, 41.5]),
        "rooms": ("INT64", [2, 1], [6, 6]),
        **{name: ("BYTES", [2, 1], [ROW[name]] * 2) for name in ("street", "zone", "sold")},
    }
    if kind == "numbers":
        given = {"rows": ("FP32", [2, 3], [*NUMBER_ROW.values()] * 2)}
    found = _run(TRITON, running.url.removeprefix("http://"), json.dumps(given))
    assert (found["live"], found["ready"], found["model ready"], found["other ready"]) == (True, True, True, False)
    assert found["server"]["extensions"] == ["binary_tensor_data"]
    assert [entry["name"] for entry in found["model"]["inputs"]] == list(given)
    whole, one, same = found["answers"][:3]
    assert found["answers"][3:] == [whole, one, same]
    assert one == same == {"prediction": whole["prediction"]}
    expected = {"regression": [SUM] * 2, "classification": ["dear"] * 2, "numbers": [41.5 + 6 + 80.25] * 2}
    assert whole["prediction"] == expected[kind]
    assert set(whole) == (
        {"prediction", "probabilities"} if kind == "classification" else {"prediction", "lower", "upper"}
    )
    if kind == "classification":
        assert np.sum(whole["probabilities"], axis=1) == pytest.approx([1, 1])
    if kind != "numbers":
        assert found["refused"][0] == "400"
        assert "each feature has a tensor" in found["refused"][1]


MLSERVER = """
import json, sys, urllib.request
import numpy as np
import pandas as pd
from mlserver.codecs import NumpyCodec, NumpyRequestCodec, PandasCodec, StringCodec
from mlserver.types import InferenceResponse

def ask(request):
    body = request.model_dump_json().encode()
    headers = {"Content-Type": "application/json"}
    asked = urllib.request.Request(sys.argv[1] + "/v2/models/house/infer", body, headers)
    with urllib.request.urlopen(asked) as answer:
        return InferenceResponse.model_validate_json(answer.read())

row, kind = json.loads(sys.argv[2]), sys.argv[3]
if kind == "numbers":
    answers = [ask(NumpyRequestCodec.encode_request(np.array([[*row.values()]] * 2, dtype=dtype)))
               for dtype in ("float32", "float64")]
else:
    table = pd.DataFrame([row, row]).astype({name: object for name in ("street", "zone", "sold")})
    # Nothing stands for a missing string: the codec cannot say None among others.
    absent = table.assign(street=pd.Series([row["street"], ""], dtype=object))
    objects = table.astype(object)  # whose numbers it sends as strings of JSON
    answers = [ask(PandasCodec.encode_request(t, use_bytes=False)) for t in (table, absent, objects)]
told = []
for answer in answers:
    named = {output.name: output for output in answer.outputs}
    label = named["prediction"]
    codec = StringCodec if label.datatype == "BYTES" else NumpyCodec
    told.append(np.asarray(codec.decode_output(label)).reshape(-1).tolist())
    if "probabilities" in named:
        assert NumpyCodec.decode_output(named["probabilities"]).reshape(-1, 2).sum(axis=1).round(5).tolist() == [1, 1]
    else:
        assert list(PandasCodec.decode_response(answer).columns) == ["prediction", "lower", "upper"]
print(json.dumps(told))
"""


@_needs("mlserver")
@pytest.mark.parametrize("kind", ["regression", "classification", "numbers"])
def test_mlservers_codecs_are_understood(request: pytest.FixtureRequest, start: Start, kind: str) -> None:
    made: Made = request.getfixturevalue(kind)
    running = start(made.settings)
    row = NUMBER_ROW if kind == "numbers" else ROW
    found = _run(MLSERVER, running.url, json.dumps(row), kind)
    expected: dict[str, list[Any]] = {
        "regression": [[SUM, SUM], [SUM, SUM + 1], [SUM, SUM]],  # in the second table, a category is missing
        "classification": [["dear", "dear"]] * 3,
        "numbers": [[127.75, 127.75]] * 2,
    }
    assert found == expected[kind]


KSERVE = """
import asyncio, json, sys
import numpy as np
from kserve import InferenceRESTClient, InferInput, InferRequest, RESTConfig

async def main():
    client = InferenceRESTClient(RESTConfig(protocol="v2"))
    url, told = sys.argv[1], {}
    told["live"] = await client.is_server_live(url)
    told["ready"] = await client.is_server_ready(url)
    told["model ready"] = await client.is_model_ready(url, "house")
    told["answers"] = []
    for binary in (False, True):
        given = InferInput("rows", [2, 3], "FP32")
        given.set_data_from_numpy(np.array([json.loads(sys.argv[2])] * 2, dtype=np.float32), binary_data=binary)
        for wanted in (False, True):
            request = InferRequest(model_name="house", infer_inputs=[given], request_id="42",
                                   parameters={"binary_data_output": wanted})
            answer = await client.infer(url, request, model_name="house")
            assert answer.id == "42", answer.id
            told["answers"].append(answer.get_output_by_name("prediction").as_numpy().tolist())
    try:
        await client.infer(url, {"inputs": []}, model_name="house")
    except Exception as err:
        told["refused"] = str(err)
    print(json.dumps(told))

asyncio.run(main())
"""


@_needs("kserve")
def test_kserves_client_is_served(start: Start, numbers: Made) -> None:
    running = start(numbers.settings)
    found = _run(KSERVE, running.url, json.dumps([*NUMBER_ROW.values()]))
    assert (found["live"], found["ready"], found["model ready"]) == (True, True, True)
    assert found["answers"] == [[127.75, 127.75]] * 4
    assert "at least one tensor" in found["refused"]
