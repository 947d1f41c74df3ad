"""Stable and candidate as the two sides of a rehearsal name them, and what differs between the two."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from models.release import THIS_MACHINE, release_path, render_release
from pipelines.build import Object, PodCommand, build_overlay, objects, pod, rollout
from pipelines.rehearsal.refs import Side
from pipelines.rehearsal.template import templates_in

_HASH_LENGTH = 10

# Where an autoscaler says its least, and what it means where it does not.
_FEWEST = {"HorizontalPodAutoscaler": ("minReplicas", 1), "ScaledObject": ("minReplicaCount", 0)}


@dataclass(frozen=True)
class Revision:
    """A pod template and what tells it from the other.

    Attributes:
        name: `stable` or `candidate`.
        hash: the pod-template hash, in the label, the metrics and the capture log.
        pod: its command and environment.
        version: of the model.
        digest: of the bundle.
        uri: of the bundle.
    """

    name: str
    hash: str
    pod: PodCommand
    version: str
    digest: str
    uri: str


def revisions(before: Side, after: Side) -> tuple[Revision | None, Revision]:
    """Stable, None where nothing was released before, and candidate.

    Where both have the same pod template the candidate is the same release again, under a hash of its own: so that a
    change of gates, steps or templates can be seen at work.
    """
    candidate = _revision("candidate", after)
    if not before.release.is_released:
        return None, candidate
    stable = _revision("stable", before)
    if stable.hash == candidate.hash:
        candidate = _revision("candidate", after, salt="again")
    return stable, candidate


def containers(before: Side, after: Side) -> tuple[str, ...]:
    """The images that are containers', of both sides: nothing here runs one."""
    images = (pod(objects(side.built)).image for side in (before, after) if side.release.is_released)
    return tuple(dict.fromkeys(image for image in images if image != THIS_MACHINE))


def template_hash(template: object, *, salt: str = "") -> str:
    """A short name of a pod template: equal templates have equal ones. Not the controller's own, which is Go's."""
    text = json.dumps(template, sort_keys=True) + salt
    return hashlib.sha256(text.encode()).hexdigest()[:_HASH_LENGTH]


def changes(before: Side, after: Side) -> tuple[str, ...]:
    """What differs of what decides a rollout: release, pod template, steps, gates; nothing where none of it does.

    The base is built once more with the head's release, which is then in its folder: links to it differ too.
    """
    found = []
    built = before.built
    if before.release != after.release:
        found.append(f"release {before.release.version} to {after.release.version}")
        path = before.folder / release_path(before.environment, before.release.model)
        path.write_text(render_release(after.release), encoding="utf-8")
        built = build_overlay(before.folder, before.environment, before.release.model)
    old, new = _parts(objects(built)), _parts(objects(after.built))
    return (*found, *(name for name in new if old[name] != new[name]))


def _parts(built: Sequence[Object]) -> Mapping[str, object]:
    spec = _spec(built)
    kept = {key: value for key, value in spec.items() if key not in ("template", "strategy", "replicas")}
    return {
        "pod template": spec.get("template"),
        "steps": spec.get("strategy"),
        "the Rollout's times": kept,
        "gates": templates_in(built),
    }


def strategy(built: Sequence[Object]) -> str:
    """`canary` or `blue-green`."""
    return "blue-green" if "blueGreen" in dict(_spec(built).get("strategy") or {}) else "canary"


def rollback_window(side: Side) -> int:
    """How many revisions back a release is restored without steps and gates."""
    window = _spec(objects(side.built)).get("rollbackWindow")
    return int(window.get("revisions", 0)) if isinstance(window, Mapping) else 0


def fewest_replicas(built: Sequence[Object]) -> int | None:
    """The pods that an autoscaler keeps at least; None where there is none."""
    for item in built:
        if item.get("kind") in _FEWEST:
            spec = item.get("spec")
            return int(spec.get(*_FEWEST[str(item["kind"])])) if isinstance(spec, Mapping) else None
    return None


def _revision(name: str, side: Side, *, salt: str = "") -> Revision:
    built = objects(side.built)
    release = side.release
    template = template_hash(_spec(built).get("template"), salt=salt)
    command = replace(pod(built), image=THIS_MACHINE)  # whatever the image is, this checkout's code is what runs
    return Revision(name, template, command, release.version, release.digest, release.uri)


def _spec(built: Sequence[Object]) -> Mapping[str, Any]:
    spec = rollout(built).get("spec")
    return spec if isinstance(spec, Mapping) else {}
