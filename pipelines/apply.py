"""Makes a cluster what main says: every released overlay, server-side, checked whole before anything of it is changed.

The seam to whoever applies git (Argo CD later): nothing else in Mainline writes these objects. What main says already
is not written again; what left git is deleted; a release whose rollout was aborted is refused before its pods start.
One overlay's problem does not keep the others waiting. Called by the step `apply`, after each push and by the
reconciler.
"""

from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from models.errors import ConfigError, MainlineError
from models.release import Release, read_release, release_path
from pipelines.applied import is_applied, note_applied
from pipelines.apply_result import Applied, worst
from pipelines.applying import (
    MANAGER,
    OVERLAY,
    PRUNED,
    PRUNED_OPTIONAL,
    Object,
    differs,
    kind_of,
    managed_services,
    of_controller,
    ordered,
    rolls_out,
    strays,
    with_owners,
)
from pipelines.build import build_overlay, objects, refuse_on_cluster, rollout
from pipelines.deploying import deployed
from pipelines.gitstore import open_store
from pipelines.head import checked_out, overlays
from pipelines.kube import ROLLOUT, Cluster, KubeRefused
from pipelines.restoring import refuse_restored
from pipelines.standing import refuse_aborted

# Others write in between: the object is read again and sent again.
_TRIES = 3
Say = Callable[[str], None]


def apply_main(
    cluster: Cluster, repo: str, *, say: Say, branch: str = "main", asked: datetime | None = None
) -> list[Applied]:
    """Applies every overlay that the branch's head releases; errors are in the answer.

    Args:
        asked: when somebody wanted it; an application that was begun since, of the same head, is enough. None: now.
    """
    began = datetime.now(UTC)
    with open_store(repo) as store:
        root = checked_out(store, branch)
        head = str(store.resolve(f"refs/heads/{branch}"))
        say(f"{branch} is {head}")
        if asked is not None and is_applied(cluster, head, asked):
            say("it was applied while this waited: nothing is left to do")
            return []
        done = [_overlay(cluster, root, environment, model, say) for environment, model in overlays(store, root)]
    if asked is not None and worst(done) is None:
        note_applied(cluster, head, began)
    return done


def _overlay(cluster: Cluster, root: Path, environment: str, model: str, say: Say) -> Applied:
    overlay = f"{environment}-{model}"
    changed: list[str] = []
    pruned: list[str] = []
    try:
        release = read_release(root / release_path(environment, model))
        if not release.is_released:
            say(f"{overlay}: nothing is released")
            return Applied(overlay)
        built = objects(build_overlay(root, environment, model))
        refuse_on_cluster(built)
        desired = ordered(objects(deployed(built, root, environment, model)), overlay)
        namespace = str(rollout(desired)["metadata"]["namespace"])  # type: ignore[index]
        _has_namespace(cluster, namespace)
        _sent(cluster, desired, release, environment, changed, say)
        _pruned(cluster, desired, namespace, overlay, pruned, say)
    except MainlineError as err:
        say(f"{overlay}: {err}")
        return Applied(overlay, tuple(changed), tuple(pruned), err)
    if not changed and not pruned:
        say(f"{overlay}: is as main says (version {release.version}, attempt {release.attempt})")
    return Applied(overlay, tuple(changed), tuple(pruned))


def _has_namespace(cluster: Cluster, namespace: str) -> None:
    if cluster.get(("v1", "Namespace"), namespace) is None:
        raise ConfigError(
            [
                f"namespace {namespace}: the cluster has none; the platform makes it, with its quota, policies and "
                "rights: add it to manifests/platform/environments and apply the platform"
            ]
        )


def _sent(
    cluster: Cluster, desired: list[Object], release: Release, environment: str, changed: list[str], say: Say
) -> None:
    """Checks all objects, then sends those that differ; `changed` gets each as it is done."""
    services = managed_services(desired)
    moving = []
    for item in desired:
        live, merged = _checked(cluster, item, services)
        if item["kind"] == "Rollout" and rolls_out(live, merged):
            refuse_aborted(release, environment)
            refuse_restored(cluster, live, release, environment)
        if differs(live, merged):
            moving.append(item)
    for item in moving:
        _apply(cluster, item, services)
        changed.append(_said(item))
        say(f"{item['metadata']['labels'][OVERLAY]}: {changed[-1]} applied")


def _checked(cluster: Cluster, item: Object, services: set[str]) -> tuple[Object | None, Object]:
    """The live object, and what it would be."""
    return _patiently(lambda: _apply_once(cluster, item, services, dry_run=True))


def _apply(cluster: Cluster, item: Object, services: set[str]) -> None:
    _patiently(lambda: _apply_once(cluster, item, services, dry_run=False))


def _apply_once(cluster: Cluster, item: Object, services: set[str], *, dry_run: bool) -> tuple[Object | None, Object]:
    metadata = item["metadata"]
    live = cluster.get(kind_of(item), metadata["name"], metadata.get("namespace", ""))
    sent = with_owners(item, live, services=services)
    try:
        return live, cluster.apply(sent, manager=MANAGER, dry_run=dry_run)
    except KubeRefused as err:
        if err.status != 409 or not of_controller(item, str(err)):
            raise
        return live, cluster.apply(sent, manager=MANAGER, dry_run=dry_run, force=True)


def _patiently(action: Callable[[], tuple[Object | None, Object]]) -> tuple[Object | None, Object]:
    """Reads and sends again where somebody else wrote in between; a lasting conflict is a person's to solve."""
    for _ in range(_TRIES - 1):
        try:
            return action()
        except KubeRefused as err:
            if err.status != 409:
                raise
    try:
        return action()
    except KubeRefused as err:
        if err.status != 409:
            raise
        raise ConfigError(
            [f"{err}; somebody changed by hand what git says: undo it there, or write it into git (nothing is forced)"]
        ) from err


def _pruned(cluster: Cluster, desired: list[Object], namespace: str, overlay: str, pruned: list[str], say: Say) -> None:
    for item in strays(desired, list(_ours(cluster, namespace, overlay))):
        cluster.delete(kind_of(item), item["metadata"]["name"], namespace)
        pruned.append(_said(item))
        say(f"{overlay}: {pruned[-1]} left git and was deleted")
    for item in strays(desired, cluster.list(ROLLOUT, namespace, labels=f"{OVERLAY}={overlay}")):
        say(f"{overlay}: {_said(item)} left git and still serves: a person deletes it")


def _ours(cluster: Cluster, namespace: str, overlay: str) -> Iterator[Mapping[str, Any]]:
    for kind in PRUNED:
        yield from cluster.list(kind, namespace, labels=f"{OVERLAY}={overlay}")
    for kind in PRUNED_OPTIONAL:
        try:
            yield from cluster.list(kind, namespace, labels=f"{OVERLAY}={overlay}")
        except KubeRefused as err:
            if err.status != 404:
                raise


def _said(item: Mapping[str, Any]) -> str:
    return f"{item['kind']} {item['metadata']['name']}"
