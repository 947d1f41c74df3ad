"""How a version's rollouts ended in an environment, and the check that keeps an aborted one from slipping back.

Argo Rollouts' `rollbackWindow` looks at creation times alone: with A stable, B aborted and C promoted, a change that
restores B's release skips every step and gate. So an aborted version is refused before the merge, unless its release
has a higher `attempt`: that stands in the pod template, makes a new revision, and the gates are walked again. Who
watches the rollouts records how they end (`mainline record`), as a tag of the version in MLflow.
"""

import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from enum import StrEnum

from models.errors import ConfigError, GateClosed
from models.release import Release
from pipelines import tracking
from pipelines.overlays import ENVIRONMENTS

_TAG = "mainline.rollout."


class Ending(StrEnum):
    """How a rollout ended."""

    COMPLETED = "completed"
    ABORTED = "aborted"


@dataclass(frozen=True)
class Standing:
    """How one attempt to roll a version out ended in one environment.

    Attributes:
        ending: completed or aborted.
        attempt: of the release that was rolled out, a whole number from 1.
        reason: which gate aborted it and why; empty where it completed.
        at: when it ended, ISO 8601, UTC.
    """

    ending: Ending
    attempt: int
    reason: str
    at: str


def record(model: str, version: str, environment: str, ending: Ending, *, attempt: int, reason: str = "") -> Standing:
    """Notes how a rollout ended, over what was noted of the same attempt before.

    Raises:
        ConfigError: no such environment, an attempt below 1, or an abort without a reason.
        RunNotFound: no such version.
    """
    problems = []
    if environment not in ENVIRONMENTS:
        problems.append(f"env: got {environment!r}, must be one of {', '.join(ENVIRONMENTS)}")
    if attempt < 1:
        problems.append(f"attempt: got {attempt}, must be a whole number from 1")
    if ending is Ending.ABORTED and not reason.strip():
        problems.append("reason: got nothing, an abort has one: the gate and what it saw")
    if problems:
        raise ConfigError(problems)
    standing = Standing(ending, attempt, reason.strip(), datetime.now(UTC).isoformat(timespec="seconds"))
    known = _standings(tracking.find_version(model, version).tags, environment)
    kept = [each for each in known if each.attempt != attempt]
    text = json.dumps([asdict(each) for each in (*kept, standing)])
    tracking.tag_version(model, version, {_TAG + environment: text})
    return standing


def standings(release: Release, environment: str) -> list[Standing]:
    """How the rollouts of a release's version ended, one an attempt, the last noted at the end; empty before the first.

    Raises:
        GateClosed: the registry knows no such version, or knows it with another digest.
    """
    known = {version.number: version for version in tracking.versions(release.model)}
    version = known.get(release.version)
    if version is None or version.digest != release.digest:
        got = "is not registered" if version is None else f"is registered with digest {version.digest}"
        raise GateClosed(
            f"{release.model} version {release.version} ({release.digest}): {got}; only what training registered is "
            "released: check MLFLOW_TRACKING_URI, and the release.yaml"
        )
    return _standings(version.tags, environment)


def refuse_aborted(release: Release, environment: str) -> None:
    """Lets a release pass that is new, completed, or of a higher attempt than every one that was aborted.

    Raises:
        GateClosed: this attempt there was aborted, or it is not known to be completed and a later one was aborted.
    """
    if not release.is_released:
        return
    known = standings(release, environment)
    if any(each.attempt == int(release.attempt) and each.ending is Ending.COMPLETED for each in known):
        return  # a later attempt brought another image, and its abort says nothing of this one
    aborted = [each for each in known if each.ending is Ending.ABORTED and each.attempt >= int(release.attempt)]
    if not aborted:
        return
    found, following = aborted[-1], max(each.attempt for each in known) + 1
    raise GateClosed(
        f"{release.model} version {release.version} in {environment}: its rollout was aborted on {found.at} "
        f"({found.reason}), and restoring it would skip every gate; release another version, or send it through the "
        f"gates again with attempt {following} (mainline promote {release.model} --to {environment} --again)"
    )


def _standings(tags: Mapping[str, str], environment: str) -> list[Standing]:
    text = tags.get(_TAG + environment, "[]")
    try:
        return [
            Standing(Ending(found["ending"]), int(found["attempt"]), str(found["reason"]), str(found["at"]))
            for found in json.loads(text)
        ]
    except (ValueError, KeyError, TypeError) as err:
        raise ConfigError([f"{_TAG}{environment}: got {text!r}, must be what `mainline record` writes"]) from err
