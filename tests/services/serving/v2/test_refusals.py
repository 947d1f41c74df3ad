"""Every request that is refused: its status, and the rule that its one string names."""

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from services.serving.app import create
from services.serving.state import State
from tests.services.serving.conftest import ROW, metric
from tests.services.serving.v2.conftest import NUMBER_ROW
from tests.services.serving.v2.speaking import DATATYPES, HEADER, INFER, Document, binary, columns, tensor


def _error(answer: Any) -> str:
    assert answer.headers["content-type"] == "application/json"
    assert answer.headers["x-request-id"]
    assert answer.headers["mainline-digest"].startswith("sha256:")
    document = answer.json()
    assert set(document) == {"error"}, document
    told: str = document["error"]
    assert "Traceback" not in told
    return told


def _with(name: str, /, **changes: Any) -> Document:
    """The good request with one tensor changed."""
    return {"inputs": [entry | changes if entry["name"] == name else entry for entry in columns()]}


GOOD = {"inputs": columns()}
DOCUMENTS: dict[str, tuple[Any, str]] = {
    "a list": ([1], "must be an object"),
    "no inputs": ({}, "inputs: got None"),
    "empty inputs": ({"inputs": []}, "at least one tensor"),
    "input no object": ({"inputs": [1]}, "must be an object"),
    "no name": (_with("age", name=None), "a tensor's name is a string"),
    "no datatype": (_with("age", datatype=None), "a datatype is one of"),
    "datatype misspelt": (_with("age", datatype="FP23"), 'did you mean "FP32"?'),
    "no shape": (_with("age", shape=None), "a shape is a list"),
    "empty shape": (_with("age", shape=[]), "a shape is a list"),
    "negative shape": (_with("age", shape=[-1]), "a shape is a list"),
    "shape of truths": (_with("age", shape=[True]), "a shape is a list"),
    "shape of 2**70": (_with("age", shape=[2**70]), "a shape is a list"),
    "huge shape": (_with("age", shape=[2**62]), "as many rows as age has"),
    "no data": (_with("age", data=None), "a tensor's data is a list"),
    "data no list": (_with("age", data=41.5), "a tensor's data is a list"),
    "too little data": (_with("age", data=[]), "its shape has 1 elements"),
    "too much data": (_with("age", data=[1, 2]), "its shape has 1 elements"),
    "nested otherwise": (_with("age", data=[[41.5]]), "numbers and null"),
    "string among numbers": (_with("age", data=["41.5"]), "FP64 data is numbers and null"),
    "truth among numbers": (_with("age", data=[True]), "FP64 data is numbers and null"),
    "number among strings": (_with("zone", data=[1]), "BYTES data is strings and null"),
    "fraction in integers": (_with("rooms", data=[6.5]), "INT64 holds whole numbers"),
    "beyond the datatype": (_with("rooms", datatype="UINT8", data=[300]), "UINT8 holds whole numbers, 0 to 255"),
    "number for a category": (_with("zone", datatype="INT64", data=[1]), "must be a string, one of the categories"),
    "string for a number": (_with("age", datatype="BYTES", data=["41.5"]), "must be a number, is a string"),
    "number for a date": (_with("sold", datatype="FP32", data=[13938]), "must be a date"),
    "missing where refused": (_with("age", data=[None]), "null is not allowed"),
    "out of range where refused": (_with("rooms", data=[21]), "must be within [1.0, 20.0]"),
    "unknown category": (_with("zone", data=["nort"]), 'did you mean "north"?'),
    "beyond float32": (_with("age", data=[1e308]), "the range of float32"),
    "two rows beside one": (_with("age", shape=[2], data=[1, 2]), "as many rows as age has"),
    "too many dimensions": (_with("age", shape=[1, 1, 1]), "as many rows as age has"),
    "two columns": (_with("age", shape=[1, 2], data=[1, 2]), "must be [1] or [1, 1]"),
    "no rows": ({"inputs": columns([])}, "at least one row"),
    "tensor misspelt": (_with("age", name="aeg"), 'did you mean "age"?'),
    "tensor too many": ({"inputs": [*columns(), tensor("more", "FP32", [1])]}, "must be a feature"),
    "tensor twice": ({"inputs": [*columns(), columns()[0]]}, "each feature stands once"),
    "tensor missing": ({"inputs": columns()[1:]}, "each feature has a tensor"),
    "one tensor for all": ({"inputs": [tensor("rows", "FP32", [1] * 5, [1, 5])]}, "send one tensor a feature"),
    "id no string": (GOOD | {"id": 42}, "id: got 42"),
    "id too long": (GOOD | {"id": "x" * 2_000}, "at most 1024 characters"),
    "parameters no object": (GOOD | {"parameters": [1]}, "parameters: got"),
    "flag no truth": (GOOD | {"parameters": {"binary_data_output": 1}}, "must be true or false"),
    "outputs no list": (GOOD | {"outputs": {"name": "prediction"}}, "outputs"),
    "output no object": (GOOD | {"outputs": ["prediction"]}, "must be an object"),
    "output without a name": (GOOD | {"outputs": [{}]}, "an output's name is a string"),
    "output misspelt": (GOOD | {"outputs": [{"name": "predicton"}]}, 'did you mean "prediction"?'),
    "output twice": (GOOD | {"outputs": [{"name": "lower"}, {"name": "lower"}]}, "asked for once"),
    "classification": (
        GOOD | {"outputs": [{"name": "lower", "parameters": {"classification": 2}}]},
        "no extension of this server",
    ),
    "shared memory": (_with("age", parameters={"shared_memory_region": "a"}), "shares no memory"),
    "pd_json that is none": (_with("zone", parameters={"content_type": "pd_json"}), "are JSON documents"),
}


@pytest.mark.parametrize(("document", "rule"), DOCUMENTS.values(), ids=DOCUMENTS)
def test_document_is_refused_with_its_rule(client: TestClient, document: Any, rule: str) -> None:
    answer = client.post(INFER, json=document)
    assert answer.status_code == 400, answer.text
    assert rule in _error(answer)
    assert metric(client, "mainline_requests_total", 'outcome="refused"') == 1


TEXTS: dict[str, tuple[bytes, str]] = {
    "empty": (b"", "not valid JSON"),
    "cut short": (b'{"inputs": [', "not valid JSON"),
    "NaN": (b'{"inputs": [NaN]}', "null for a missing number"),
    "not UTF-8": (b'{"id": "\xff"}', "not valid JSON"),
    "lone surrogate": (b'{"id": "\\ud800"}', "not valid JSON"),
    "too deep": (b"[" * 9_000, "not valid JSON"),
}


@pytest.mark.parametrize(("text", "rule"), TEXTS.values(), ids=TEXTS)
def test_text_is_refused_with_its_rule(client: TestClient, text: bytes, rule: str) -> None:
    answer = client.post(INFER, content=text)
    assert answer.status_code == 400
    assert rule in _error(answer)


Change = Callable[[bytes, dict[str, str]], tuple[bytes, dict[str, str]]]


def _first(**changes: Any) -> Change:
    """Another datatype or size for the first tensor, whose data stays."""

    def change(body: bytes, headers: dict[str, str]) -> tuple[bytes, dict[str, str]]:
        length = int(headers[HEADER])
        document = json.loads(body[:length])
        size = changes.get("size", document["inputs"][0]["parameters"]["binary_data_size"])
        document["inputs"][0] |= {"parameters": {"binary_data_size": size}}
        document["inputs"][0] |= {name: value for name, value in changes.items() if name != "size"}
        head = json.dumps(document).encode()
        return head + body[length:], headers | {HEADER: str(len(head))}

    return change


BINARIES: dict[str, tuple[Change, str]] = {
    "header no number": (lambda body, headers: (body, headers | {HEADER: "1e3"}), "must be a number of bytes"),
    "header negative": (lambda body, headers: (body, headers | {HEADER: "-1"}), "must be a number of bytes"),
    "header beyond the body": (lambda body, headers: (body, headers | {HEADER: "9" * 30}), "at most the body's"),
    "header too short": (lambda body, headers: (body, headers | {HEADER: "10"}), "not valid JSON"),
    "header absent": (lambda body, headers: (body, {}), "not valid JSON"),
    "bytes left over": (lambda body, headers: (body + b"x", headers), "sizes of the tensors' binary data add up"),
    "bytes missing": (lambda body, headers: (body[:-1], headers), "that are left of the body"),
    "size no number": (_first(size="8"), "must be a number of bytes"),
    "size negative": (_first(size=-8), "must be a number of bytes"),
    "size not the datatype's": (_first(datatype="FP32"), "FP32 of its shape is 4 bytes"),
    "size too small": (_first(size=4), "add up to what follows"),
    "size huge": (_first(size=2**63), "that are left of the body"),
}


@pytest.mark.parametrize(("change", "rule"), BINARIES.values(), ids=BINARIES)
def test_binary_body_is_refused_with_its_rule(client: TestClient, change: Change, rule: str) -> None:
    body, headers = change(*binary(columns()))
    answer = client.post(INFER, content=body, headers=headers)
    assert answer.status_code == 400, answer.text
    assert rule in _error(answer)


@pytest.mark.parametrize(
    ("raw", "rule"),
    [
        (b"\x05\0\0\0sou", "each its length in 4 bytes"),
        (b"\x05\0\0", "each its length in 4 bytes"),
        (b"", "holds 1 elements"),
        (b"\xff\xff\xff\xffsouth", "each its length in 4 bytes"),
        (b"\x05\0\0\0south\x05\0\0\0south", "holds 1 elements"),
        (b"\x02\0\0\0\xff\xfe", "UTF-8"),
    ],
    ids=["cut", "cut in its length", "none", "endless", "two", "not UTF-8"],
)
def test_binary_strings_are_refused_with_their_rule(client: TestClient, raw: bytes, rule: str) -> None:
    inputs = columns()
    zone = inputs[3]
    zone["parameters"] = {"binary_data_size": len(raw)}
    del zone["data"]
    head = json.dumps({"inputs": inputs}).encode()
    answer = client.post(INFER, content=head + raw, headers={HEADER: str(len(head))})
    assert answer.status_code == 400
    assert rule in _error(answer)


def test_data_that_stands_twice_is_refused(client: TestClient) -> None:
    body, headers = binary(columns())
    document = json.loads(body[: int(headers[HEADER])])
    document["inputs"][0]["data"] = [41.5]
    head = json.dumps(document).encode()
    answer = client.post(INFER, content=head + body[int(headers[HEADER]) :], headers={HEADER: str(len(head))})
    assert "not both" in _error(answer)


def test_binary_truth_of_two_is_refused(number_client: TestClient) -> None:
    head = {"name": "rooms", "datatype": "BOOL", "shape": [1], "parameters": {"binary_data_size": 1}}
    inputs = [tensor("age", "FP32", [1]), head, tensor("area", "FP32", [10])]
    text = json.dumps({"inputs": inputs}).encode()
    answer = number_client.post(INFER, content=text + b"\x02", headers={HEADER: str(len(text))})
    assert "a byte of 0 or 1" in _error(answer)


WIDTHS: dict[str, tuple[Document, str]] = {
    "too narrow": (tensor("rows", "FP32", [1, 2], [1, 2]), "must be [n, 3]"),
    "strings": (tensor("rows", "BYTES", ["1", "2", "3"], [1, 3]), "send FP32"),
    "no rows": (tensor("rows", "FP32", [], [0, 3]), "at least one row"),
    "one dimension": (tensor("rows", "FP32", [1, 2, 3], [3]), "all in one of [n, 3]"),
    "ragged": (tensor("rows", "FP32", [[1, 2, 3], [4, 5]], [2, 3]), "nested as its shape is"),
    "missing where refused": (tensor("rows", "FP32", [1, None, 10], [1, 3]), "null is not allowed"),
    "out of range where refused": (tensor("rows", "FP32", [1, 21, 10], [1, 3]), "must be within [1.0, 20.0]"),
    "a fraction of a room": (tensor("rows", "FP32", [1, 2.5, 10], [1, 3]), "has a fraction"),
}


@pytest.mark.parametrize(("given_rows", "rule"), WIDTHS.values(), ids=WIDTHS)
def test_tensor_of_all_numbers_is_refused_with_its_rule(
    number_client: TestClient, given_rows: Document, rule: str
) -> None:
    answer = number_client.post(INFER, json={"inputs": [given_rows]})
    assert answer.status_code == 400, answer.text
    assert rule in _error(answer)


def test_infinity_in_bytes_is_refused(number_client: TestClient) -> None:
    body, headers = binary([tensor("rows", "FP32", [float("inf"), 1, 10], [1, 3])])
    assert "must be finite" in _error(number_client.post(INFER, content=body, headers=headers))


def test_more_rows_than_the_limit_are_refused(client: TestClient, number_client: TestClient) -> None:
    for answer in (
        client.post(INFER, json={"inputs": columns([ROW] * 101)}),
        number_client.post(INFER, json={"inputs": [tensor("rows", "FP32", [1] * 303, [101, 3])]}),
    ):
        assert answer.status_code == 413
        assert "at most 100 rows" in _error(answer)


def test_larger_body_than_the_limit_is_refused(client: TestClient) -> None:
    answer = client.post(INFER, content=b" " * 20_001)
    assert (answer.status_code, "at most 20000 bytes" in _error(answer)) == (413, True)


@pytest.mark.parametrize(
    ("headers", "remedy"),
    [
        ({"Content-Type": "text/plain"}, "send Content-Type: application/json"),
        ({"Content-Type": "application/octet-straem"}, "did you mean application/octet-stream?"),
        ({"Content-Encoding": "gzip"}, "send the body as it is"),
    ],
)
def test_body_of_another_kind_is_refused(client: TestClient, headers: dict[str, str], remedy: str) -> None:
    answer = client.post(INFER, content=b"{}", headers=headers)
    assert (answer.status_code, remedy in _error(answer)) == (415, True)


@pytest.mark.parametrize(
    ("method", "path", "status", "words"),
    [
        ("POST", "/v2/models/iris/infer", 404, "this server has model house only"),
        ("POST", "/v2/models/house/versions/8/infer", 404, "this server has version 7 only"),
        ("GET", "/v2/models/iris", 404, "no such model"),
        ("GET", "/v2/models/house/versions/latest", 404, "no such version"),
        ("GET", "/v2/models/house/versions/8/ready", 404, "no such version"),
        ("GET", "/v2/models", 404, "No such path"),
        ("GET", "/v2/repository/index", 404, "No such path"),
        ("GET", INFER, 405, "takes POST"),
        ("POST", "/v2/models/house", 405, "GET"),
        ("PUT", "/v2/health/live", 405, "GET"),
    ],
)
def test_path_or_method_that_is_not_there_is_told(
    client: TestClient, method: str, path: str, status: int, words: str
) -> None:
    answer = client.request(method, path)
    assert (answer.status_code, words in _error(answer)) == (status, True)


@pytest.mark.parametrize(("loaded", "draining"), [(False, False), (True, True)], ids=["loading", "draining"])
def test_server_that_is_not_ready_says_so_and_why(state: State, loaded: bool, draining: bool) -> None:
    state.served, state.draining = (state.served if loaded else None), draining
    client = TestClient(create(state))
    for path in ("/v2/health/ready", "/v2/models/house/ready", "/v2/models/house/versions/7/ready"):
        answer = client.get(path)
        assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
        assert ("draining" if draining else "loading") in _error(answer)
    assert client.get("/v2/health/live").status_code == 200
    assert client.get("/v2").status_code == 200
    expected = 200 if loaded else 503
    assert client.get("/v2/models/house").status_code == expected
    assert client.post(INFER, json=GOOD).status_code == expected


def test_answer_that_comes_too_late_is_refused_and_counted_as_failed(state: State) -> None:
    assert state.served is not None
    state.settings = dataclasses.replace(state.settings, request_seconds=0.1)
    state.served = dataclasses.replace(state.served, row_seconds=1)  # off the loop, which then sees the time
    predict = state.served.predictor.predict

    def slowly(matrix: Any) -> Any:
        time.sleep(0.5)
        return predict(matrix)

    state.served.predictor.predict = slowly  # type: ignore[method-assign]
    with TestClient(create(state)) as client:
        answer = client.post(INFER, json={"inputs": columns([ROW] * 40)})
        assert (answer.status_code, "within 0.1 s" in _error(answer)) == (504, True)
        assert metric(client, "mainline_requests_total", 'outcome="failed"') == 1


_anything = st.recursive(
    st.none()
    | st.booleans()
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.integers()
    | st.text(max_size=6)
    | st.sampled_from([*DATATYPES, *ROW.values(), *NUMBER_ROW, "FP32", "BYTES", "INT64", "rows", 1, 3]),
    lambda inner: st.lists(inner, max_size=4),
    max_leaves=8,
)
_parameters = st.dictionaries(
    st.sampled_from(["binary_data_size", "binary_data", "binary_data_output", "content_type", "x"]), _anything
)
_tensors = st.fixed_dictionaries(
    {},
    optional={
        "name": st.sampled_from([*ROW, "rows"]) | _anything,
        "datatype": st.sampled_from([*DATATYPES.values(), "FP32", "BOOL", "UINT8", "FP16"]) | _anything,
        "shape": st.lists(st.integers(0, 3), max_size=3) | _anything,
        "data": _anything,
        "parameters": _parameters | _anything,
    },
)
_documents = st.fixed_dictionaries(
    {},
    optional={
        "id": _anything,
        "inputs": st.lists(_tensors | st.sampled_from(columns()), max_size=6) | _anything,
        "outputs": st.lists(st.fixed_dictionaries({}, optional={"name": _anything, "parameters": _parameters})),
        "parameters": _parameters | _anything,
    },
)
_headers = st.dictionaries(
    st.sampled_from([b"content-type", HEADER.lower().encode(), b"content-encoding", b"x-request-id", b"accept"]),
    st.binary(max_size=6).filter(lambda value: not set(value) & set(b"\r\n\0"))
    | st.sampled_from([b"application/octet-stream", b"0", b"10", b"200"]),
    max_size=3,
)


@settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))
@given(document=_documents | _anything, behind=st.binary(max_size=40), cut=st.integers(-3, 3), headers=_headers)
def test_no_request_gives_a_failure(
    client: TestClient,
    number_client: TestClient,
    document: Any,
    behind: bytes,
    cut: int,
    headers: dict[bytes, bytes],
) -> None:
    head = json.dumps(document).encode()
    given_headers = {HEADER.lower().encode(): str(max(0, len(head) + cut)).encode()} if behind else {}
    for asked in (client, number_client):
        answer = asked.post(INFER, content=head + behind, headers=given_headers | headers)
        assert answer.status_code < 500, answer.text
        if answer.status_code != 200:
            _error(answer)


@settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
@given(
    path=st.sampled_from(["", "/", "/models", "/models/house", "/models/house/infer", "/models//infer", "/health/x"]),
    more=st.sampled_from(["", "/", "/%00", "?a=b", "/versions/7", "/versions/7/infer", "/versions//infer"]),
    method=st.sampled_from(["GET", "POST", "PUT", "DELETE", "OPTIONS", "HEAD", "PATCH"]),
    body=st.binary(max_size=30),
)
def test_no_path_gives_a_failure(client: TestClient, path: str, more: str, method: str, body: bytes) -> None:
    answer = client.request(method, f"/v2{path}{more}", content=body)
    assert answer.status_code < 500, answer.text
    if answer.status_code != 200 and method != "HEAD":
        _error(answer)
