"""The limits of the decisions, as a request states them."""

from services.drift.inputs import InputLimits
from services.drift.pairs import PredictionLimits
from services.drift.quality import QualityLimits
from services.drift.replay import ReplayLimits
from services.drift.requests import InputsRequest, PredictionsRequest, QualityRequest, ReplayRequest


def input_limits(request: InputsRequest) -> InputLimits:
    """For `judge_inputs`."""
    return InputLimits(
        min_rows=request.min_rows,
        min_distinct_rows=request.min_distinct_rows,
        max_distance=request.max_distance,
        alpha=request.alpha,
    )


def prediction_limits(request: PredictionsRequest | ReplayRequest) -> PredictionLimits:
    """For `judge_predictions`; replayed rows are distinct all of them."""
    return PredictionLimits(
        min_rows=request.min_distinct_rows if isinstance(request, ReplayRequest) else request.min_rows,
        min_distinct_rows=request.min_distinct_rows,
        max_beyond_announced=request.max_beyond_announced,
        max_announced=request.max_announced,
        max_announced_shift=request.max_announced_shift,
        alpha=request.alpha,
    )


def replay_limits(request: ReplayRequest) -> ReplayLimits:
    """For `judge_replay`."""
    return ReplayLimits(
        min_pairs=request.min_distinct_rows,
        max_error_ratio=request.max_error_ratio,
        max_latency_ratio=request.max_latency_ratio,
        latency_floor_seconds=request.latency_floor_seconds,
        predictions=prediction_limits(request),
    )


def quality_limits(request: QualityRequest) -> QualityLimits:
    """For `judge_quality`."""
    return QualityLimits(min_feedback=request.min_feedback, max_worse=request.max_worse, alpha=request.alpha)
