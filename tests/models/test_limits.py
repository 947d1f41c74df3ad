"""A whole array of numbers is judged as the same rows are, cell by cell."""

import math
from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.cells import compile_column
from models.feature import Feature
from models.limits import Limits
from models.rows import RowsRefused, encode, encode_columns, encode_matrix

FEATURES = (
    Feature(name="area", dtype="float", min=-1e6, max=0.1, missing="allow"),
    Feature(name="share", dtype="float", min=0.1, max=0.7, out_of_range="refuse"),
    Feature(name="rooms", dtype="integer", min=1.0, max=20.0),
    Feature(name="floors", dtype="integer", missing="allow"),
)
GOOD = [0.05, 0.3, 6.0, 2.0]
EDGES = [0.1, 0.7, 1.0, 20.0, 2.0**24, 2.0**24 + 1, 0.5, 21.0, 3.5e38, -0.0, 1e-40, math.inf, -math.inf, math.nan]
DTYPES = ("f8", "f4", "f2", "i8", "i4", "i2", "i1", "u8", "u4", "u2", "u1")


def _named(values: npt.NDArray[Any]) -> list[dict[str, Any]]:
    """The rows as JSON has them: null for NaN, float32 by its shortest decimal."""
    names = [feature.name for feature in FEATURES]

    def cell(value: Any) -> Any:
        number = float(str(value)) if value.dtype == np.float32 else value.item()
        return None if number != number else number

    return [dict(zip(names, [cell(value) for value in row], strict=True)) for row in values]


def _outcome(encoded: Any) -> tuple[Any, ...]:
    try:
        found = encoded()
    except RowsRefused as refused:
        problems = [(p.row, p.feature, repr(p.value), p.rule, p.remedy) for p in refused.problems]
        return ("refused", refused.n_problems, problems)
    warnings = [(p.row, p.feature, repr(p.value), p.rule, p.remedy) for p in found.warnings]
    return ("encoded", found.matrix.tobytes(), found.n_warnings, warnings)


@settings(max_examples=200, deadline=None)
@given(
    rows=st.lists(
        st.lists(st.sampled_from(EDGES) | st.floats(-30, 30) | st.integers(-30, 30), min_size=4, max_size=4)
        | st.just(GOOD),
        min_size=1,
        max_size=4,
    ),
    dtype=st.sampled_from(DTYPES),
)
def test_array_is_judged_as_its_rows_are(rows: list[list[float]], dtype: str) -> None:
    with np.errstate(all="ignore"):
        values = np.array(rows, dtype=np.float64).astype(dtype)
    assert _outcome(lambda: encode_matrix(values, FEATURES)) == _outcome(lambda: encode(_named(values), FEATURES))


@pytest.mark.parametrize(("wrong", "kind"), [([0.05, 0.9, 6.0, 2.0], "refused"), ([5.0, 0.3, 99.0, 2.0], "encoded")])
def test_thousands_of_wrong_cells_are_counted_and_the_first_hundred_told(wrong: list[float], kind: str) -> None:
    values = np.array([GOOD, *[wrong] * 2_000], dtype=np.float64)
    array = _outcome(lambda: encode_matrix(values, FEATURES))
    assert array[0] == kind
    assert array == _outcome(lambda: encode(_named(values), FEATURES))


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("order", ["C", "F"])
@pytest.mark.parametrize("n_rows", [1, 63, 64, 79, 80])
def test_wrong_cell_is_found_in_every_place(n_rows: int, order: Any, dtype: str) -> None:
    for row in range(n_rows):
        for column, wrong in enumerate([5.0, 0.05, 21.0, 2.0**25]):
            values = np.array([GOOD] * n_rows, dtype=dtype, order=order)
            values[row, column] = wrong
            assert [each.tolist() for each in _judged(values)] in ([[[row, column]], []], [[], [[row, column]]])


@pytest.mark.parametrize("dtype", ["f8", "f4"])
@pytest.mark.parametrize("wrong", [-1.5, 1.5, math.inf, -math.inf, math.nan])
def test_wrong_cell_is_found_where_all_columns_have_one_range(wrong: float, dtype: str) -> None:
    features = [Feature(name=name, dtype="float", min=-1.0, max=1.0) for name in ("a", "b")]
    limits = Limits.of([compile_column(feature) for feature in features])
    values = np.array([[-1.0, 1.0]] * 100, dtype=dtype)
    assert [len(cells) for cells in limits.wrong(values)] == [0, 0]
    values[77, 1] = wrong
    assert sorted(cells.tolist() for cells in limits.wrong(values)) == [[], [[77, 1]]]


def _judged(values: npt.NDArray[Any]) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]:
    return Limits.of([compile_column(feature) for feature in FEATURES]).wrong(values)


@pytest.mark.parametrize(("dtype", "bits"), [("f2", 0x7D01), ("f4", 0x7F800001), ("f8", 0x7FF0000000000001)])
def test_nan_whose_bits_signal_is_missing_without_a_warning(dtype: str, bits: int) -> None:
    values = np.array([[0.05, 0.3, 6.0, 2.0]], dtype=dtype)
    values.view(f"u{values.itemsize}")[0, 3] = bits
    assert np.isnan(encode_matrix(values, FEATURES).matrix).tolist() == [[False, False, False, True]]
    columns = {feature.name: values[:, index] for index, feature in enumerate(FEATURES)}
    assert np.isnan(encode_columns(columns, FEATURES).matrix).tolist() == [[False, False, False, True]]


def test_right_array_of_float32_is_not_copied() -> None:
    values = np.array([GOOD], dtype=np.float32)
    assert encode_matrix(values, FEATURES).matrix is values


def test_feature_that_is_no_number_has_no_array() -> None:
    street = Feature(name="street", dtype="category", categories=("Grvl", "Pave"))
    with pytest.raises(ValueError, match="street is no number"):
        encode_matrix(np.zeros((1, 1)), (street,))


def test_array_of_another_width_is_refused() -> None:
    with pytest.raises(ValueError, match=r"must be \(n_rows, 4\)"):
        encode_matrix(np.zeros((3, 2)), FEATURES)
