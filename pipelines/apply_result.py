"""What became of an application of main: overlay by overlay, and what of it decides how the step ends."""

from dataclasses import dataclass

from models.errors import ConfigError, GateClosed, MainlineError
from pipelines.kube import KubeRefused


@dataclass(frozen=True)
class Applied:
    """What became of one overlay.

    Attributes:
        overlay: `<environment>-<model>`.
        changed: kind and name of what was created or changed.
        pruned: kind and name of what was deleted.
        error: why not, or not all of it.
    """

    overlay: str
    changed: tuple[str, ...] = ()
    pruned: tuple[str, ...] = ()
    error: MainlineError | None = None


def worst(applied: list[Applied]) -> MainlineError | None:
    """The error that decides the exit code: one worth a retry before a refusal; None where all went well."""
    errors = [each.error for each in applied if each.error is not None]
    if not errors:
        return None
    passing = [err for err in errors if not isinstance(err, ConfigError | GateClosed | KubeRefused)]
    return (passing or errors)[0]
