"""What a pull request changes in what clusters run: which overlays must be rehearsed, and which releases are refused.

A change of a release, a pod template, the steps or a gate rolls out or decides a rollout, so each is rehearsed before
the merge; everything else (a card, a service account) is not. A release whose last rollout was aborted is refused here,
since Argo Rollouts would let it slip back (see `standing`). Called by `mainline check`, as a pull request's check.
"""

import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import GateClosed
from models.release import Release, read_release, release_path, render_release
from pipelines.approvals import approvals
from pipelines.build import build_overlay, objects, rollout
from pipelines.rehearsal import refs
from pipelines.standing import refuse_aborted, standings


@dataclass(frozen=True)
class Concern:
    """One overlay that a change concerns.

    Attributes:
        environment: staging or production.
        model: the model's name.
        changes: what differs, for a person: `release 2 -> 3`, `gates`, `steps`, `pod template`.
        refusal: why it must not be merged; empty where it may be rehearsed.
        warning: what a person should know; a release that ran here before, and of which nobody noted how that ended.
    """

    environment: str
    model: str
    changes: tuple[str, ...]
    refusal: str = ""
    warning: str = ""


def concerns(root: Path, base: str, head: str) -> list[Concern]:
    """The overlays that merging `head` into `base` concerns, by environment and model.

    Raises:
        ConfigError: a ref that does not exist, a head that does not merge, an overlay that does not build.
    """
    before, after = refs.choose(root, "", "", base=base, head=head, repo="")
    if before.tree == after.tree:
        return []
    with tempfile.TemporaryDirectory(prefix="mainline-check-") as scratch:
        old, new = Path(scratch) / "base", Path(scratch) / "head"
        refs.export(root, before, old)
        refs.export(root, after, new)
        return list(_concerns(root, before, old, new))


def _concerns(root: Path, base: refs.Ref, old: Path, new: Path) -> Iterator[Concern]:
    for overlay in sorted(new.glob("kustomize/overlays/*/*/kustomization.yaml")):
        environment, model = overlay.parent.parent.name, overlay.parent.name
        release = read_release(new / release_path(environment, model))
        if not release.is_released:
            continue
        path = old / release_path(environment, model)
        former = read_release(path) if path.is_file() else None
        changes = [] if release == former else [_release_change(former, release)]
        if former is not None:
            path.write_text(render_release(release), encoding="utf-8")  # what else differs, the release being the same
            before, after = (_parts(objects(build_overlay(tree, environment, model))) for tree in (old, new))
            changes += [name for name in after if before[name] != after[name]]
        if changes:
            refusal = _refusal(former, release, environment)
            warning = "" if refusal or release == former else _unknown(root, base, release, environment)
            yield Concern(environment, model, tuple(changes), refusal, warning)


def _parts(built: list[dict[str, object]]) -> Mapping[str, object]:
    spec = rollout(built).get("spec")
    spec = spec if isinstance(spec, dict) else {}
    rest = {key: value for key, value in spec.items() if key not in ("template", "strategy", "replicas")}
    return {
        "pod template": spec.get("template"),
        "steps": spec.get("strategy"),
        "rollout": rest,
        "gates": {str(item["metadata"]): item for item in built if item.get("kind") == "AnalysisTemplate"},
    }


def _release_change(former: Release | None, release: Release) -> str:
    if former is None or not former.is_released:
        return f"first release, {release.version}"
    if former.version != release.version or former.digest != release.digest:
        return f"release {former.version} -> {release.version}"
    if former.image != release.image:
        return f"image of release {release.version}"
    return f"attempt {former.attempt} -> {release.attempt} of release {release.version}"


def _refusal(former: Release | None, release: Release, environment: str) -> str:
    if release == former:
        return ""  # it runs, or failed to: nothing is restored
    try:
        refuse_aborted(release, environment)
    except GateClosed as err:
        return str(err)
    return ""


def _unknown(root: Path, base: refs.Ref, release: Release, environment: str) -> str:
    ran = [
        each.at
        for each in approvals(root, release.model, release.digest, branch=base.commit)
        if each.environment == environment
    ]
    if not ran or standings(release, environment):
        return ""
    return (
        f"it ran in {environment} before ({ran[0]}) and nobody recorded how that rollout ended: within rollbackWindow "
        "Argo Rollouts skips every gate for it; if it was aborted, say so with `mainline record`"
    )
