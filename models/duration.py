"""A span of time as Go and Prometheus both read it: `15s`, `5m`, `1h30m`. Called by the gates and their rules."""

import re
from typing import Annotated

from pydantic import AfterValidator
from pydantic_core import PydanticCustomError

# Go knows no "1d", Prometheus no "1.5h".
_FORM = re.compile(r"(?:([0-9]+)h)?(?:([0-9]+)m)?(?:([0-9]+)s)?")


def seconds(duration: str) -> int:
    """How long it is.

    Raises:
        ValueError: it is no duration, or none at all.
    """
    found = _FORM.fullmatch(duration)
    total = sum(int(part or 0) * unit for part, unit in zip(found.groups(), (3600, 60, 1), strict=True)) if found else 0
    if not total:
        raise ValueError(f"got {duration!r}, must be a duration above nothing such as 15s, 5m or 1h30m")
    return total


def _checked(duration: str) -> str:
    try:
        seconds(duration)
    except ValueError as err:
        raise PydanticCustomError("duration", "must be a duration above nothing such as 15s, 5m or 1h30m") from err
    return duration


Duration = Annotated[str, AfterValidator(_checked)]
