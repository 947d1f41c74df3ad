"""Errors of the training side: the last line of a step's log, and its exit code."""

from models.errors import ConfigError, GateClosed, MainlineError


class DataMismatch(MainlineError):  # noqa: N818  (what happened)
    """The data that arrived are not the data that the commit names."""


class TrainingFailed(MainlineError):  # noqa: N818  (what happened)
    """The model's own `fit`, or what it returned, cannot become a bundle."""

    exit_code = 2


class WrongBundle(GateClosed):
    """A bundle, an evaluation and a run that should belong together do not."""


class TrackingFailed(MainlineError):  # noqa: N818  (what happened)
    """The MLflow store did not answer, or does not hold what was asked of it."""


class RunNotFound(TrackingFailed):
    """No MLflow run, or registered version, matches what was asked."""


__all__ = [
    "ConfigError",
    "DataMismatch",
    "GateClosed",
    "MainlineError",
    "RunNotFound",
    "TrackingFailed",
    "TrainingFailed",
    "WrongBundle",
]
