"""What `POST /judge` takes. Argo resolves arguments to strings, so numbers may come quoted and durations as "10m".

A request that breaks a rule is the caller's error (4xx); all that goes wrong later is an inconclusive judgement.
"""

import re
from datetime import timedelta
from typing import Annotated, Any, Literal, Self
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, StringConstraints, TypeAdapter, model_validator

from models.declaration import Declared
from models.judge_bounds import MAX_ALPHA, MAX_DISTANCE, MAX_ROWS, MAX_WINDOW

_PARTS = re.compile(r"([0-9]{1,12}(?:\.[0-9]{1,12})?)(ms|[smhdw])")
_SECONDS = {"ms": 0.001, "s": 1.0, "m": 60.0, "h": 3600.0, "d": 86_400.0, "w": 604_800.0}
_TOO_LONG = 2 * MAX_WINDOW.total_seconds()  # what is longer is refused all the same, and some is no timedelta
_SERVER = re.compile(r"https?://([A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?)(?::([0-9]{1,5}))?/?")


def duration(value: object) -> object:
    """A Prometheus duration ("1h30m") as a timedelta; pydantic judges what is neither.

    Raises:
        ValueError: it is no such duration.
    """
    if not isinstance(value, str):
        return value
    parts = _PARTS.findall(value)
    if not parts or "".join(number + unit for number, unit in parts) != value:
        raise ValueError(f'got {value!r}, must be a duration such as "30m" or "1h30m"')
    return timedelta(seconds=min(sum(float(number) * _SECONDS[unit] for number, unit in parts), _TOO_LONG))


def _within(value: timedelta) -> timedelta:
    if not timedelta(0) < value <= MAX_WINDOW:
        raise ValueError(f"got {value}, must be above 0 and at most {MAX_WINDOW.days} days")
    return value


def _server(value: str) -> str:
    found = _SERVER.fullmatch(value)
    if not found or not 1 <= int(found[2] or 80) <= 65_535:
        raise ValueError(f"got {value[:100]!r}, must be http://host:port, no path, no name of a user")
    return value.rstrip("/").lower()


def origin(url: str) -> tuple[str, int]:
    """Host and port of a server's URL."""
    parts = urlsplit(url)
    return parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)


Window = Annotated[timedelta, BeforeValidator(duration), AfterValidator(_within)]
Model = Annotated[str, StringConstraints(pattern=r"^[a-z][a-z0-9]*$")]
Environment = Annotated[str, StringConstraints(pattern=r"^([a-z][a-z0-9]{0,31})?$")]
Hash = Annotated[str, StringConstraints(pattern=r"^[a-z0-9]{1,63}$")]
Count = Annotated[int, Field(ge=1, le=MAX_ROWS)]
Alpha = Annotated[float, Field(gt=0, le=MAX_ALPHA)]
Distance = Annotated[float, Field(gt=0, le=MAX_DISTANCE, allow_inf_nan=False)]
Server = Annotated[str, AfterValidator(_server)]


class _Parties(Declared):
    """Who is judged, over which time, and how sure the judge must be.

    `alpha` is the probability with which one look may fail a candidate that differs in nothing. `environment` is
    for the report's name and the capture log's folder, where one judge serves several.
    """

    model: Model
    environment: Environment = ""
    candidate_hash: Hash
    stable_hash: Hash
    window: Window
    alpha: Alpha = 0.001


class _Common(_Parties):
    """And from how many captured rows on."""

    min_rows: Count = 500
    min_distinct_rows: Count = 100


class InputsRequest(_Common):
    """Is the candidate sent what it was trained for?

    `max_distance`: in standard deviations of the reference for numbers, Jensen-Shannon distance for categories.
    `compare`: with stable's rows of the same time, or of the time before the candidate's first row.
    """

    check: Literal["inputs"]
    max_distance: Distance
    compare: Literal["same", "before"] = "same"


class PredictionsRequest(_Common):
    """Does the candidate answer as announced? Both limits in standard deviations of stable's answers.

    `max_beyond_announced`: how far the live difference from stable may be from the announced one.
    `max_announced`: how large the difference may be, announced or live, without a person raising the limit.
    """

    check: Literal["predictions"]
    max_beyond_announced: Distance
    max_announced: Distance
    max_announced_shift: Distance | None = None
    compare: Literal["same", "before"] = "same"


class ReplayRequest(_Common):
    """The same rows to preview and active: answers, errors and latency pair by pair.

    `max_latency_ratio` counts where the candidate's p95 is above `latency_floor_seconds`.
    """

    check: Literal["replay"]
    window: Window = timedelta(minutes=30)
    candidate_url: Server
    stable_url: Server
    rows: Count = 300
    max_beyond_announced: Distance
    max_announced: Distance
    max_announced_shift: Distance | None = None
    max_error_ratio: Annotated[float, Field(ge=0, lt=1)] = 0.0
    max_latency_ratio: Annotated[float, Field(ge=1, allow_inf_nan=False)] = 2.0
    latency_floor_seconds: Annotated[float, Field(ge=0, allow_inf_nan=False)] = 0.025

    @model_validator(mode="after")
    def _two_servers(self) -> Self:
        if origin(self.candidate_url) == origin(self.stable_url):
            raise ValueError("candidate_url and stable_url are the same server: nothing would be compared")
        return self


class QualityRequest(_Parties):
    """Is the candidate worse than stable on rows of which the truth is known by now?

    `min_feedback`: so many distinct rows. `max_worse`: mean loss above stable's on the same rows, in units of
    stable's median error (regression) or as a share of misclassified rows (classification).
    """

    check: Literal["quality"]
    min_feedback: Count
    max_worse: Distance


JudgeRequest = InputsRequest | PredictionsRequest | ReplayRequest | QualityRequest
_ADAPTER: TypeAdapter[JudgeRequest] = TypeAdapter(Annotated[JudgeRequest, Field(discriminator="check")])


def parse(document: Any) -> JudgeRequest:
    """The request that a JSON document states.

    Raises:
        pydantic.ValidationError: with every rule that it breaks.
    """
    return _ADAPTER.validate_python(document)
