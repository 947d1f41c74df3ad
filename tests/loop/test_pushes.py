"""What real pushes set in motion: the hook, the queue, the rendered workflow, MLflow and the proposals."""

import time

import pytest

from models.release import read_release, release_path
from pipelines import forge, lineage
from tests.loop.loop import MODEL, PATIENCE_SECONDS, Loop

pytestmark = pytest.mark.slow


def test_two_pushes_in_quick_succession_train_both_and_release_in_the_order_of_history(loop: Loop) -> None:
    commits = []
    for value in ("2.0", "4.0"):
        loop.world.set_parameter(MODEL, "C", value)
        commits.append(loop.commit(f"{MODEL}: C {value}"))
    older, newer = commits

    first = loop.start_push(older, "main")
    deadline = time.monotonic() + PATIENCE_SECONDS
    while loop.at_origin("rev-parse", "main") != older:
        assert first.poll() is None, (loop.stage.log.parent / f"push-{older[:12]}.log").read_text()
        assert time.monotonic() < deadline, "the first push never moved main"
        time.sleep(0.02)
    second = loop.start_push(newer, "main")
    assert first.poll() is None, "the first push ended before the second began: they did not meet"
    for push, commit in ((first, older), (second, newer)):
        code = push.wait(timeout=PATIENCE_SECONDS)
        assert code == 0, (loop.stage.log.parent / f"push-{commit[:12]}.log").read_text()

    versions = loop.versions()
    assert [(version.number, version.tags[lineage.COMMIT]) for version in versions] == [("1", older), ("2", newer)]
    assert [loop.run_of(commit).status for commit in commits] == ["FINISHED", "FINISHED"]
    (open_now,) = forge.open_proposals(loop.world.origin)
    assert (open_now.branch, open_now.draft) == (f"propose/staging/{MODEL}/2", False)
    proposed = read_release(loop.at_origin("show", f"{open_now.commit}:{release_path('staging', MODEL)}") + "\n")
    assert (proposed.digest, proposed.commit) == (versions[1].digest, newer)
    closed = loop.at_origin("for-each-ref", "--format=%(refname)", "refs/closed").splitlines()
    assert [ref.rpartition("/")[0] for ref in closed] == [f"refs/closed/propose/staging/{MODEL}/1"]
    assert f"superseded by {open_now.branch}" in loop.at_origin("log", "-1", "--format=%B", closed[0])


def test_push_to_another_branch_trains_and_reports_and_registers_nothing(loop: Loop) -> None:
    main = loop.at_origin("rev-parse", "main")
    loop.world.set_parameter(MODEL, "C", "2.0")
    commit = loop.commit(f"{MODEL}: C 2.0")
    push = loop.start_push(commit, "experiment")
    assert push.wait(timeout=PATIENCE_SECONDS) == 0
    said = (loop.stage.log.parent / f"push-{commit[:12]}.log").read_text()

    run = loop.run_of(commit)
    assert (run.status, run.tags[lineage.OUTCOME], run.tags[lineage.BRANCH]) == ("FINISHED", "reported", "experiment")
    assert run.tags[lineage.REASON] == "branch experiment: only main registers"
    assert run.metrics["accuracy"] > 0.8
    assert f"experiment {commit[:12]}: {MODEL}: Succeeded reported" in said
    assert loop.versions() == []
    refs = loop.at_origin("for-each-ref", "--format=%(refname) %(objectname)").splitlines()
    assert sorted(refs) == [f"refs/heads/experiment {commit}", f"refs/heads/main {main}"]
