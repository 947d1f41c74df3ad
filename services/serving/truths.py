"""From a document of feedback to truths that the model's declaration allows. Pure; called by the route of feedback."""

import difflib
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, NoReturn

from models.manifest import Manifest
from services.problems import Fault, Kind, Problem

SHAPES = (
    'one truth as {"request_id": "...", "truth": ...}, with "row" where the request had several rows, '
    'or many as {"feedback": [truth, ...]}'
)
Elsewhere = Callable[[str, int | None], tuple[str, str] | None]
_NAMES = ("request_id", "row", "truth")
_REQUEST_ID = re.compile(r"[A-Za-z0-9._:-]{1,128}")  # what an answer's header can carry
_MAX_TRUTH = 3.4e38  # float32, and what the log's reader takes
_MAX_FAULTS = 100


@dataclass(frozen=True)
class Truth:
    """What became of one answer.

    Attributes:
        row: its place in the request; None where the caller did not say.
        told: a class, or a number in the target's unit.
        value: the same as a number: of a class its place in the order of classes.
    """

    request_id: str
    row: int | None
    told: float | str
    value: float


def nowhere_else(request_id: str, row: int | None) -> None:
    """What is known of rows that other models answered, where none do."""


def truths_of(document: object, manifest: Manifest, elsewhere: Elsewhere = nowhere_else) -> list[Truth]:
    """The truths that a document states, in either of two shapes.

    Args:
        elsewhere: gives the rule and the remedy, where a row is known to be another model's.

    Raises:
        Problem: another shape, none or too many, or with all that is wrong with any of them: then none is taken.
    """
    if not isinstance(document, dict):
        _refuse("body", document, f"must be {SHAPES}", 'put a list of truths under "feedback"')
    many = "feedback" in document
    items = _items(document, manifest.serving.max_rows) if many else [document]
    faults: list[Fault] = []
    truths = []
    for index, item in enumerate(items):
        truths.append(_truth(item, index if many else None, manifest, elsewhere, faults))
        if len(faults) >= _MAX_FAULTS:  # enough to see the pattern; finding what each may have meant takes time
            break
    if faults:
        first, least = faults[0], "At least " if len(faults) >= _MAX_FAULTS else ""
        detail = f"{least}{len(faults)} things were refused; the first: {first.feature}: {first.rule}."
        raise Problem(Kind.FEEDBACK_REFUSED, detail, faults[:_MAX_FAULTS])
    return truths


def _items(document: Mapping[str, object], most: int) -> list[object]:
    for name in document:
        if name != "feedback":
            _refuse(name, document[name], 'nothing may stand beside "feedback"', "put it into each truth")
    items = document["feedback"]
    if not isinstance(items, list) or not items:
        _refuse("feedback", items, "must be a list of at least one truth", "put the truth into a list")
    if len(items) > most:
        fault = Fault("feedback", len(items), f"at most {most} truths in a request", "send several requests")
        raise Problem(Kind.TOO_MANY_ROWS, f"{len(items)} truths are more than {most}.", [fault])
    return items


def _truth(item: object, index: int | None, manifest: Manifest, elsewhere: Elsewhere, faults: list[Fault]) -> Truth:
    """The truth; what is wrong with it is added to `faults`, and the truth then means nothing."""
    if not isinstance(item, dict):
        example = '{"request_id": "...", "truth": ...}'
        faults.append(Fault("feedback", item, "each truth is an object", f"send {example}", index))
        return Truth("", None, 0.0, 0.0)
    request_id: Any = item.get("request_id")
    row: Any = item.get("row")
    told: Any = item.get("truth")
    told_of = _class_fault if manifest.classes else _number_fault
    placed = [_id_fault(request_id, index)]
    if "row" in item:
        placed.append(_row_fault(row, index, manifest.serving.max_rows))
    place = None if any(placed) else elsewhere(request_id, row)
    if place is not None:  # its truth is not of this model's kind either
        placed.append(Fault("request_id", request_id, *place, index))
    else:
        placed.insert(1, told_of(told, index, manifest))
    found = [fault for fault in (*_strangers(item, index), *placed) if fault is not None]
    faults += found
    if found:
        return Truth("", None, 0.0, 0.0)
    if manifest.classes:
        return Truth(request_id, row, told, float(manifest.classes.index(told)))
    return Truth(request_id, row, float(told), float(told))


def _strangers(item: Mapping[str, object], index: int | None) -> list[Fault]:
    faults = []
    for name in [name for name in item if name not in _NAMES][:_MAX_FAULTS]:
        near = difflib.get_close_matches(name[:100], _NAMES, 1)
        remedy = f"did you mean {near[0]}?" if near else "leave it out"
        faults.append(Fault(name, item[name], f"a truth has {', '.join(_NAMES)} alone", remedy, index))
    return faults


def _id_fault(request_id: object, index: int | None) -> Fault | None:
    if isinstance(request_id, str) and _REQUEST_ID.fullmatch(request_id):
        return None
    rule = "must be an answer's id: 1 to 128 letters, digits, '.', '_', ':' or '-'"
    return Fault("request_id", request_id, rule, "send the X-Request-Id of the answer", index)


def _row_fault(row: object, index: int | None, max_rows: int) -> Fault | None:
    if isinstance(row, int) and not isinstance(row, bool) and 0 <= row < max_rows:
        return None
    rule = f"must be the row's place in the request, an integer from 0 to {max_rows - 1}"
    return Fault("row", row, rule, "leave it out where the request had one row", index)


def _class_fault(told: object, index: int | None, manifest: Manifest) -> Fault | None:
    if isinstance(told, str) and told in manifest.classes:
        return None
    known = ", ".join(manifest.classes[:10]) + (", ..." if len(manifest.classes) > 10 else "")
    remedy = "send one of them"
    if isinstance(told, str) and (near := difflib.get_close_matches(told[:100], manifest.classes, 1)):
        remedy = f"did you mean {near[0]}?"
    elif isinstance(told, int) and abs(told) < 2**53 and str(told) in manifest.classes:
        remedy = f'quote it: "{told}"'
    return Fault("truth", told, f"must be one of {known}", remedy, index)


def _number_fault(told: object, index: int | None, manifest: Manifest) -> Fault | None:
    if isinstance(told, int | float) and not isinstance(told, bool) and abs(told) <= _MAX_TRUTH:
        return None
    unit = manifest.outputs[0].unit
    rule = f"must be a finite number in {unit}" if unit else "must be a finite number"
    return Fault(
        "truth", told, f"{rule}, within ±{_MAX_TRUTH:g}", "send what the model predicts, as it came to be", index
    )


def _refuse(feature: str, value: object, rule: str, remedy: str) -> NoReturn:
    raise Problem(Kind.FEEDBACK_REFUSED, f"{feature} {rule}.", [Fault(feature, value, rule, remedy)])
