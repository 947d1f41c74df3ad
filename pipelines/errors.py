"""Errors of the training side: each is what a person reads on the last line of a step's log, with the exit code of its kind."""

from models.errors import ConfigError, GateClosed, MainlineError


class DataMismatch(MainlineError):
    """The data that arrived are not the data that the commit names."""


class TrainingFailed(MainlineError):
    """The model's own `fit`, or what it returned, cannot become a bundle."""

    exit_code = 2


class WrongBundle(GateClosed):
    """A bundle, an evaluation and a run that should belong together do not."""


class TrackingFailed(MainlineError):
    """The MLflow store did not answer, or does not hold what was asked of it."""


class RunNotFound(TrackingFailed):
    """No MLflow run, or registered version, matches what was asked."""


__all__ = ["ConfigError", "DataMismatch", "GateClosed", "MainlineError", "RunNotFound", "TrackingFailed", "TrainingFailed", "WrongBundle"]
