"""From a request's document to rows of named features. Whether their values fit is for `models.rows` to say."""

from collections.abc import Mapping, Sequence
from typing import NoReturn

from services.problems import Fault, Kind, Problem

_MAX_SURPLUS_NAMES = 200
SHAPES = (
    'one row as an object of named features, many as {"instances": [row, ...]}, '
    'or positional values as {"features": [value, ...]} in the order of /metadata'
)


def rows_of(document: object, names: Sequence[str], *, max_rows: int) -> list[Mapping[str, object]]:
    """The rows that a document states, in whichever of the three shapes.

    Raises:
        Problem: another shape, no row, or more than `max_rows`.
    """
    if not isinstance(document, dict):
        _shape("body", document, f"must be {SHAPES}", 'put a list of rows under "instances"')
    if "instances" in document and "instances" not in names:
        return _few_names(_named(_only(document, "instances"), max_rows), names)
    if "features" in document and "features" not in names:
        return _positional(_only(document, "features"), names, max_rows)
    return _few_names([document], names)


def _few_names(found: list[Mapping[str, object]], names: Sequence[str]) -> list[Mapping[str, object]]:
    """The rows, unless their names are far beyond the model's: finding what each may have meant would take seconds."""
    surplus = sum(max(0, len(row) - len(names)) for row in found)
    if surplus > _MAX_SURPLUS_NAMES:
        _shape("names", surplus, f"at most {_MAX_SURPLUS_NAMES} unknown names", "send the features of /metadata alone")
    return found


def _named(instances: object, max_rows: int) -> list[Mapping[str, object]]:
    if not isinstance(instances, list):
        _shape("instances", instances, "must be a list of objects", "put the row into a list")
    _count(instances, "instances", max_rows)
    faults = [
        Fault("instances", row, "each row is an object of named features", 'positional rows go under "features"', index)
        for index, row in enumerate(instances)
        if not isinstance(row, dict)
    ]
    _raise(faults)
    return instances


def _positional(values: object, names: Sequence[str], max_rows: int) -> list[Mapping[str, object]]:
    if not isinstance(values, list):
        _shape("features", values, "must be a list of values, or a list of such lists", "put the values into a list")
    lists = values if values and all(isinstance(value, list) for value in values) else [values]
    _count(values, "features", max_rows if lists is values else len(values))
    order = ", ".join(names)
    rule = f"a row has {len(names)} values, in the order {order if len(order) <= 400 else order[:400] + '...'}"
    faults = [
        Fault("features", f"{len(row)} values", rule, "send every value, null for one that is missing", index)
        for index, row in enumerate(lists)
        if len(row) != len(names)
    ]
    _raise(faults)
    return [dict(zip(names, row, strict=True)) for row in lists]


def _only(document: Mapping[str, object], name: str) -> object:
    strangers = [other for other in document if other != name]
    if strangers:
        faults = [
            Fault(other, document[other], f'nothing may stand beside "{name}"', "put every feature into the rows")
            for other in strangers[:100]
        ]
        raise Problem(Kind.SHAPE, f'"{name}" has company.', faults)
    return document[name]


def _count(found: list[object], name: str, max_rows: int) -> None:
    if not found:
        _shape(name, found, "must have at least one row", "send at least one row")
    if len(found) > max_rows:
        fault = Fault(
            name,
            len(found),
            f"at most {max_rows} rows in a request",
            f"send several requests of at most {max_rows} rows",
        )
        raise Problem(Kind.TOO_MANY_ROWS, f"{len(found)} rows are more than {max_rows}.", [fault])


def _raise(faults: list[Fault]) -> None:
    if faults:
        raise Problem(Kind.SHAPE, f"{len(faults)} rows have the wrong shape.", faults[:100])


def _shape(feature: str, value: object, rule: str, remedy: str) -> NoReturn:
    raise Problem(Kind.SHAPE, f"{feature} {rule}.", [Fault(feature, value, rule, remedy)])
