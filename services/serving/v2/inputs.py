"""From tensors to the rows of the model: one tensor of all its numbers, or one for each feature.

Whether the values fit is for `models.rows` to say, as for every other route.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NoReturn

import numpy as np

from models.declaration import did_you_mean
from models.feature import Feature, all_numbers
from models.predictor import INPUT
from models.rows import Encoded, RowsRefused, encode_columns, encode_matrix
from services.problems import Fault, Kind, Problem
from services.serving.answer import refused
from services.serving.named import Named, named_rows
from services.serving.v2.datatypes import BOOL, BYTES
from services.serving.v2.requests import InferRequest, Tensor
from services.serving.v2.tensors import Values, values

_MAX_FAULTS = 100


@dataclass(frozen=True)
class Given:
    """What a request gave: rows for the graph, and the same for the capture log, made only when it asks."""

    encoded: Encoded
    named: Named


def rows(request: InferRequest, features: tuple[Feature, ...], *, max_rows: int) -> Given:
    """The rows that a request's tensors hold.

    Raises:
        Problem: other tensors than the model has, other shapes, too many rows, or values that it refuses.
    """
    names = [feature.name for feature in features]
    try:
        if all_numbers(features) and _is_matrix(request.inputs, names):
            return _matrix(request.inputs[0], features, max_rows)
        return _columns(request.inputs, features, names, max_rows)
    except RowsRefused as err:
        raise refused(err) from err


def _is_matrix(inputs: Sequence[Tensor], names: Sequence[str]) -> bool:
    """Whether the request holds all features in one tensor. Its name is free: other servers' clients choose theirs."""
    return len(inputs) == 1 and len(inputs[0].shape) == 2 and inputs[0].name not in names


def _matrix(tensor: Tensor, features: tuple[Feature, ...], max_rows: int) -> Given:
    n_rows, width = tensor.shape
    if width != len(features):
        rule = f"must be [n, {len(features)}], the features in the order of /metadata"
        _refuse(tensor.name, list(tensor.shape), rule, f"send one column a feature, or one tensor a feature; {INPUT}")
    if tensor.datatype in (BYTES, BOOL):
        _refuse(tensor.name, tensor.datatype, "all features together are numbers", "send FP32")
    _count(tensor.name, n_rows, max_rows)
    found = values(tensor)
    assert isinstance(found, np.ndarray)  # noqa: S101  (all but BYTES are)
    matrix = found.reshape(n_rows, width)
    return Given(encode_matrix(matrix, features), named_rows(features, list(matrix.T), n_rows))


def _columns(inputs: Sequence[Tensor], features: tuple[Feature, ...], names: Sequence[str], max_rows: int) -> Given:
    _check_names(inputs, features, names)
    n_rows = inputs[0].shape[0]
    for tensor in inputs:
        if tensor.shape not in ((n_rows,), (n_rows, 1)):
            rule = f"must be [{n_rows}] or [{n_rows}, 1], as many rows as {inputs[0].name} has"
            _refuse(tensor.name, list(tensor.shape), rule, "send one value a row")
    _count(inputs[0].name, n_rows, max_rows)
    dtypes = {feature.name: feature.dtype for feature in features}
    columns = {tensor.name: _column(tensor, dtypes[tensor.name]) for tensor in inputs}
    encoded = encode_columns(columns, features)
    return Given(encoded, named_rows(features, [columns[name] for name in names], n_rows))


def _column(tensor: Tensor, dtype: str) -> Values:
    found = values(tensor)
    if tensor.datatype == BOOL and dtype != "integer":  # a flag is 0 or 1, and nothing else that a feature can be
        assert isinstance(found, np.ndarray)  # noqa: S101  (all but BYTES are)
        return [None if value != value else bool(value) for value in found.tolist()]
    return found


def _check_names(inputs: Sequence[Tensor], features: Sequence[Feature], names: Sequence[str]) -> None:
    given = [tensor.name for tensor in inputs]
    missing = [name for name in names if name not in given]
    if len(missing) == len(names):
        _refuse(given[0], list(inputs[0].shape), "no tensor is named as a feature of the model", _form(features))
    faults: list[Fault] = []
    for name in dict.fromkeys(given):
        if name not in names:
            near = did_you_mean(name, missing) if len(faults) < _MAX_FAULTS else None
            faults.append(Fault(name, "a tensor", "must be a feature of the model", near or _form(features)))
        elif given.count(name) > 1:
            faults.append(Fault(name, f"{given.count(name)} tensors", "each feature stands once", "send one of them"))
    faults += [Fault(name, "no tensor", "each feature has a tensor", "send it") for name in missing]
    if faults:
        raise Problem(Kind.SHAPE, f"{len(faults)} tensors are not as the model's.", faults[:_MAX_FAULTS])


def _form(features: Sequence[Feature]) -> str:
    whole = f', or all in one of [n, {len(features)}] named "{INPUT}"' if all_numbers(features) else ""
    return f"send one tensor a feature{whole}"


def _count(name: str, n_rows: int, max_rows: int) -> None:
    if not n_rows:
        _refuse(name, 0, "must have at least one row", "send at least one row")
    if n_rows > max_rows:
        remedy = f"send several requests of at most {max_rows} rows"
        fault = Fault(name, n_rows, f"at most {max_rows} rows in a request", remedy)
        raise Problem(Kind.TOO_MANY_ROWS, f"{n_rows} rows are more than {max_rows}.", [fault])


def _refuse(feature: str, value: object, rule: str, remedy: str) -> NoReturn:
    raise Problem(Kind.SHAPE, "A tensor is not as the model's.", [Fault(feature, value, rule, remedy)])
