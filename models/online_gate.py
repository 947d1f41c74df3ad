"""What every gate of a rollout has: a reason, how often it asks, and the kinds of its numbers."""

from typing import Annotated

from pydantic import AfterValidator, Field, Strict, StringConstraints
from pydantic_core import PydanticCustomError

from models.declaration import Declared
from models.duration import Duration, seconds
from models.judge_bounds import MAX_ALPHA, MAX_DISTANCE, MAX_ROWS, MAX_WINDOW


def _judged(window: str) -> str:
    if seconds(window) > MAX_WINDOW.total_seconds():
        hours = int(MAX_WINDOW.total_seconds() // 3600)
        raise PydanticCustomError("window", f"must be at most {hours}h: the judge looks back no further")
    return window


Count = Annotated[int, Strict(), Field(ge=1)]
Positive = Annotated[float, Strict(), Field(gt=0, allow_inf_nan=False)]
NotNegative = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Strict(), Field(ge=0, lt=1)]
# What the judge is asked for, it has to take.
Alpha = Annotated[float, Strict(), Field(gt=0, le=MAX_ALPHA)]
Rows = Annotated[int, Strict(), Field(ge=1, le=MAX_ROWS)]
Distance = Annotated[float, Strict(), Field(gt=0, le=MAX_DISTANCE, allow_inf_nan=False)]
Window = Annotated[Duration, AfterValidator(_judged)]
Reason = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class OnlineGate(Declared):
    """A gate always says why it is what it is."""

    reason: Reason


class Waiting(OnlineGate):
    """A gate that asks every `interval`, at most `count` times, until it can say yes or no; then a person decides."""

    interval: Duration
    count: Count


class Watching(Waiting):
    """A gate that is asked until it succeeded `successes` times in a row: after a blue-green switch it watches on."""

    successes: Count
