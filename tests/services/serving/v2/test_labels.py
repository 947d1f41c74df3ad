"""Names of classes are joined as one by one, however many are looked up at once."""

import json

import numpy as np
import pytest

from services.serving.v2 import labels


@pytest.mark.parametrize("n_classes", [1, 2, 3, 16, 17, 300])
@pytest.mark.parametrize("n_rows", [0, 1, 7, 8, 9, 1000])
def test_names_of_rows_are_joined_in_their_order(n_classes: int, n_rows: int) -> None:
    classes = tuple(f'"ä{number}\\' for number in range(n_classes))
    found = np.random.default_rng(7).integers(0, n_classes, n_rows)
    names = [classes[index] for index in found.tolist()]
    assert json.loads(b"[%b]" % labels.json(classes).joined(found)) == names
    encoded = [name.encode() for name in names]
    assert labels.binary(classes).joined(found) == b"".join(len(e).to_bytes(4, "little") + e for e in encoded)


def test_indexes_of_one_byte_are_as_good() -> None:
    assert labels.json(("a", "b")).joined(np.array([0, 1] * 6, dtype=np.int8)) == b",".join([b'"a"', b'"b"'] * 6)
