"""The online half of gates.yaml: what a rollout must show, on its own traffic, before it gets more of it.

Kustomize copies these values into the AnalysisTemplates (`kustomize/components/gates`): the field `max_ratio` of the
gate `errors` becomes the argument `errors-max-ratio`. No threshold of a rollout stands anywhere else.
"""

from typing import Annotated

from pydantic import Field, Strict

from models.declaration import Declared
from models.duration import Duration
from models.online_gate import Alpha, Count, Distance, OnlineGate, Positive, Rows, Share, Waiting, Watching, Window


class Scrape(OnlineGate):
    """What is taken as a signal: `settle` before the first question, samples at most `max_age_seconds` old.

    `retries`: how often in a row an address may not answer, 10 s apart, before the version is taken back.
    """

    settle: Duration
    max_age_seconds: Count
    retries: Count


class Samples(Waiting):
    """How many requests and captured rows of the candidate there must be before anything is decided."""

    min_requests: Count
    min_rows: Count


class Storm(OnlineGate):
    """The guard that runs beside all steps: aborts within seconds, and passes nothing.

    Within `window`: at least `min_failures` failed requests that are more than `max_ratio` of all, or a p90 of at least
    `min_requests` answers above `max_p90_seconds`, or more than `max_restarts` of its processes.
    """

    max_ratio: Share
    min_failures: Count
    max_p90_seconds: Positive
    min_requests: Count
    max_restarts: Annotated[int, Strict(), Field(ge=0)]
    window: Duration
    interval: Duration


class Errors(Watching):
    """The share of failed requests over `window`; and refused ones against stable's over `compare_window`.

    `min_failures`: so many are no accident, however few the requests; fewer, of `min_requests`, are waited on.
    `max_refused_excess`: share by which the candidate may refuse more than stable does; it is so many standard errors
    (`refused_deviations`) below or above that, or more requests are waited for.
    `stable_window`: looked at instead where stable answers nobody any more (blue-green after the switch).
    """

    max_ratio: Share
    min_requests: Count
    min_failures: Count
    window: Duration
    max_refused_excess: Share
    refused_deviations: Positive
    compare_window: Duration
    stable_window: Duration


class Latency(Watching):
    """p99 of answered requests in `window`: in seconds, and as a multiple of stable's, but of no less than the floor.

    `max_p99_seconds` is a bound of the histogram's buckets: between bounds a p99 is a guess.
    """

    max_p99_seconds: Positive
    max_ratio_to_stable: Annotated[float, Strict(), Field(gt=1, allow_inf_nan=False)]
    floor_seconds: Positive
    min_requests: Count
    window: Duration
    stable_window: Duration


class Saturation(Watching):
    """Restarts, memory that grows, requests that pile up: per pod of the candidate."""

    max_restarts: Annotated[int, Strict(), Field(ge=0)]
    max_memory_bytes: Count
    memory_window: Duration
    memory_horizon_seconds: Count
    max_in_flight: Count
    min_requests: Count
    window: Duration


class Half(OnlineGate):
    """What a canary with half of the traffic is asked about: a pause of `window`, then no more than that window."""

    window: Duration
    min_requests: Count


class Inputs(Waiting):
    """The candidate's inputs against the window that it was trained on, feature by feature.

    `max_distance`: of one feature, in standard deviations of the reference (numbers) or as Jensen-Shannon distance
    (categories). `alpha`: false alarms of one look, over all features.
    """

    min_rows: Rows
    min_distinct_rows: Rows
    max_distance: Distance
    alpha: Alpha
    window: Window


class Predictions(Waiting):
    """The candidate's answers against stable's on the same rows, in standard deviations of stable's.

    `max_beyond_announced`: beyond what the held-out rows announced. `max_announced`: what none may exceed unasked, by
    root mean square; `max_announced_shift`: by the mean.
    """

    min_rows: Rows
    min_distinct_rows: Rows
    max_beyond_announced: Distance
    max_announced: Distance
    max_announced_shift: Distance
    alpha: Alpha
    window: Window


class Replay(Waiting):
    """Blue-green only: `rows` rows sent to preview and active, compared pair by pair, before any traffic moves."""

    rows: Rows
    min_distinct_rows: Rows
    max_beyond_announced: Distance
    max_announced: Distance
    max_announced_shift: Distance
    alpha: Alpha
    max_error_ratio: Share
    max_latency_ratio: Annotated[float, Strict(), Field(gt=1, allow_inf_nan=False)]
    latency_floor_seconds: Positive


class Quality(Waiting):
    """Optional, for models whose truth becomes known: the candidate's loss against stable's on the same rows.

    `min_feedback`: distinct rows whose truth was told. `max_worse`: mean loss above stable's, in units of stable's
    median error (regression) or as a share of misclassified rows (classification).
    """

    min_feedback: Rows
    max_worse: Distance
    alpha: Alpha
    window: Window


class OnlineGates(Declared):
    """Gates of a rollout. Each is one AnalysisTemplate; `scrape` is all of theirs, `half` is a canary's last step.

    `quality` belongs to the component live-quality, which does not build without it.
    """

    scrape: Scrape
    samples: Samples
    storm: Storm
    errors: Errors
    latency: Latency
    saturation: Saturation
    half: Half
    inputs: Inputs
    predictions: Predictions
    replay: Replay
    quality: Quality | None = None
