"""A change of an overlay as a person makes it: a pull request, merged and applied; and taken back at the end."""

from collections.abc import Iterator
from contextlib import contextmanager

from pipelines.cluster import provider
from pipelines.cluster.kubectl import Kubectl
from pipelines.cluster.optional import add
from tests.e2e.forge import Forge, Merged
from tests.e2e.given import ROOT, Cluster
from tests.e2e.waiting import say
from tests.e2e.workflow_view import Workflow

APPLIED_SECONDS = 300


@contextmanager
def changed(
    cluster: Cluster, forge: Forge, namespace: str, *, lines: tuple[str, str], patches: str
) -> Iterator[Merged]:
    """Has an overlay be another one until the end of the block.

    Args:
        namespace: the overlay's, `<model>-<environment>`.
        lines: a part of its text, and what is to stand in its place.
        patches: what it patches itself, as YAML.
    """
    model, _, environment = namespace.partition("-")
    path = f"kustomize/overlays/{environment}/{model}/kustomization.yaml"
    forge.pull()
    if (forge.clone / path).read_text(encoding="utf-8").endswith(patches):  # left by a run that was ended in the middle
        wait_applied(cluster, forge.revert(forge.git("log", "-1", "--first-parent", "--format=%H", "--", path)))
    text = (forge.clone / path).read_text(encoding="utf-8")
    former, then = lines
    assert former in text, f"{path} has no {former!r}"
    merged = forge.merge_files(
        f"e2e/overlay/{namespace}", f"{namespace}: another overlay", {path: text.replace(former, then) + patches}
    )
    try:
        wait_applied(cluster, merged)
        yield merged
    finally:
        wait_applied(cluster, forge.revert(merged.commit))


def wait_applied(cluster: Cluster, merged: Merged) -> None:
    """Until a commit of main is applied."""
    Workflow(cluster, "delivery", f"apply-{merged.commit[:12]}").wait_succeeded(seconds=APPLIED_SECONDS)


def component(name: str) -> str:
    """The line with which an overlay names a component."""
    return f"  - ../../../components/{name}\n"


def with_part(cluster: Cluster, part: str) -> None:
    """Has the platform have an optional part."""
    made = provider.recorded(ROOT)
    add(ROOT, Kubectl(cluster.kubeconfig), part, modules=made is not None and made.modules, say=say)
