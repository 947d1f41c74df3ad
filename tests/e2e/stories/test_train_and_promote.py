"""A person changes a hyper-parameter and pushes. It is trained, proposed, merged to staging, promoted, and answers."""

import json
import re
import time

import pytest

from tests.e2e.callers import Callers, rows
from tests.e2e.figures import Figures
from tests.e2e.forge import Forge
from tests.e2e.given import Cluster
from tests.e2e.registry import Registry
from tests.e2e.releasing import Released, Releases
from tests.e2e.watch import Watch
from tests.e2e.workflow_view import Workflow

pytestmark = pytest.mark.e2e
MODEL = "diabetes"


def test_a_push_trains_and_merges_promote(
    cluster: Cluster, forge: Forge, releases: Releases, callers: Callers, figures: Figures
) -> None:
    releases.stable(f"{MODEL}-stable")
    traffic = callers.start(MODEL)

    # a push trains
    commit = _another_alpha(forge)
    pushed = forge.push()
    workflow = Workflow(cluster, "training", f"{MODEL}-{commit[:12]}")
    first = workflow.wait_first_process(seconds=90)
    figures.note("train", "push_to_first_container_seconds", first - pushed)
    workflow.wait_succeeded(seconds=480)
    figures.note("train", "push_to_trained_seconds", time.time() - pushed)
    version = Registry(releases.stores).wait_version(MODEL, commit, seconds=30)

    # the proposal for staging is a pull request whose body is the report
    request = forge.wait_pull_request(f"propose/staging/{MODEL}/{version.number}", seconds=60)
    figures.note("train", "push_to_pull_request_seconds", time.time() - pushed)
    assert "rmse" in request.body
    merged = forge.merge(request)
    staging = releases.wait_promoted(Released(releases.current(MODEL, "staging"), merged), "staging")
    assert staging.digest == version.digest
    figures.note("train", "push_to_staging_seconds", time.time() - pushed)

    # `mainline promote` proposes it for production, the merge rolls it out as a canary
    proposed = json.loads(releases.mainline("promote", MODEL, "--to", "production", "--json"))
    watch = Watch("canary", releases, traffic, figures)
    merged = forge.merge(forge.open_pull_request(proposed["branch"], proposed["title"]))
    released = Released(releases.current(MODEL), merged)
    assert released.digest == version.digest
    watch.first_pod(released)
    watch.promoted(released)
    figures.note("train", "push_to_production_seconds", time.time() - pushed)

    # an answer walks back to the commit and to who approved it, and the alias follows
    (row,) = rows(MODEL, count=1)
    answer = cluster.call(f"{MODEL}-production", "services/serving:http", "predict", row)
    walk = json.loads(releases.mainline("lineage", answer["digest"], "--json"))
    assert commit in walk.values()
    approver = forge.git("show", "--no-patch", "--format=%an <%ae>", merged.commit)
    assert any(approver in found for found in walk.values()), f"{approver} is not in {walk}"
    told = releases.rollout(MODEL).wait_outcome(released.release, "completed", seconds=90)
    assert (told["mainline.dev/approver"], told["mainline.dev/merge-commit"]) == (approver, merged.commit)
    Registry(releases.stores).wait_alias(MODEL, "production", version.number, seconds=90)


def _another_alpha(forge: Forge) -> str:
    """Commits a penalty that main never had: as many commits as there are, so many more."""
    forge.pull()
    path = f"models/{MODEL}/model.yaml"
    text = (forge.clone / path).read_text(encoding="utf-8")
    alpha = 100.0 + int(forge.git("rev-list", "--count", "HEAD")) % 1000 / 10
    changed, count = re.subn(r"^  alpha: [\d.]+", f"  alpha: {alpha}", text, flags=re.MULTILINE)
    assert count == 1, f"{path} has no alpha"
    return forge.commit(f"{MODEL}: alpha {alpha}", {path: changed})
