"""`mainline` as a person types it, in a clone of the origin: what a dirty tree and a nonsense question get."""

import pytest

from pipelines import forge, lineage, tracking
from tests.loop.loop import MODEL, Loop

pytestmark = pytest.mark.slow


def test_dirty_tree_is_trained_and_refused_for_release(loop: Loop) -> None:
    loop.world.set_parameter(MODEL, "C", "2.0")
    head = loop.git("rev-parse", "HEAD")
    done = loop.mainline("train", MODEL)

    assert done.returncode == 3, done.stdout + done.stderr
    # the terminal's width decides where the message is broken
    assert "dirty tree: the commit does not say what was trained" in " ".join((done.stdout + done.stderr).split())
    (run,) = tracking.runs(MODEL)
    assert (run.status, run.tags[lineage.DIRTY], run.tags[lineage.OUTCOME]) == ("FAILED", "true", "refused")
    assert run.parameters["C"] == "2.0"
    assert run.metrics["accuracy"] > 0.8
    assert loop.versions() == []
    assert forge.open_proposals(loop.world.origin) == []
    assert loop.git("rev-parse", "HEAD") == head
    assert loop.git("status", "--porcelain") == f"M models/{MODEL}/model.yaml"


@pytest.mark.parametrize("what", ["nonsense", "sha256:12", "ftp://127.0.0.1/metadata"])
def test_lineage_of_nonsense_is_wrong_usage(loop: Loop, what: str) -> None:
    done = loop.mainline("lineage", what, "--json")
    assert done.returncode == 2
    assert what in done.stderr
    assert "must be a server's URL, a run id (32 hex digits) or a digest" in " ".join(done.stderr.split())
    assert done.stdout == ""
