import json

import numpy as np
import pytest

from tests.bench import labels
from tests.bench.bodies import HEADER_LENGTH
from tests.bench.labels import UnreadableError

CLASSES = ("setosa", "versicolor")


def _binary(datatype: str, shape: list[int], raw: bytes) -> tuple[bytes, dict[str, str]]:
    output = {"name": "o", "datatype": datatype, "shape": shape, "parameters": {"binary_data_size": len(raw)}}
    head = json.dumps({"outputs": [output]}).encode()
    return head + raw, {HEADER_LENGTH.lower(): str(len(head))}


@pytest.mark.parametrize(
    ("output", "found"),
    [
        ({"datatype": "INT64", "shape": [2, 1], "data": [1, 0], "parameters": None}, [1, 0]),
        ({"datatype": "BYTES", "shape": [2], "data": ["versicolor", "setosa"]}, [1, 0]),
        ({"datatype": "FP32", "shape": [2, 2], "data": [0.1, 0.9, 0.8, 0.2]}, [1, 0]),
    ],
    ids=["indices", "names", "probabilities"],
)
def test_classes_are_read_from_a_tensor(output: dict[str, object], found: list[int]) -> None:
    body = json.dumps({"outputs": [{"name": "o", **output}]}).encode()
    assert labels.tensors(body, {}, CLASSES).tolist() == found


def test_classes_are_read_from_binary_tensors() -> None:
    numbers = np.array([1, 0], "<i8").tobytes()
    assert labels.tensors(*_binary("INT64", [2], numbers), CLASSES).tolist() == [1, 0]
    words = b"".join(len(word).to_bytes(4, "little") + word for word in (b"versicolor", b"setosa"))
    assert labels.tensors(*_binary("BYTES", [2], words), CLASSES).tolist() == [1, 0]


def test_our_own_answer_must_name_its_most_probable_class() -> None:
    right = {"prediction": "setosa", "probabilities": {"setosa": 0.7, "versicolor": 0.3}}
    assert labels.ours(json.dumps({"predictions": [right]}).encode(), {}, CLASSES).tolist() == [0]
    wrong = json.dumps({"predictions": [{**right, "prediction": "versicolor"}]}).encode()
    with pytest.raises(UnreadableError, match="not the most probable"):
        labels.ours(wrong, {}, CLASSES)


@pytest.mark.parametrize("body", [b'{"error": "no"}', b"[1]"])
def test_an_answer_without_classes_is_unreadable(body: bytes) -> None:
    with pytest.raises(UnreadableError, match="no 'predictions'"):
        labels.under("predictions")(body, {}, CLASSES)


def test_a_class_that_the_model_has_not_is_unreadable() -> None:
    body = json.dumps({"outputs": [{"name": "o", "datatype": "BYTES", "shape": [1], "data": ["rose"]}]}).encode()
    with pytest.raises(UnreadableError, match="rose: none of the classes"):
        labels.tensors(body, {}, CLASSES)
