"""What a rollout's end leaves behind: real git, a real registry, a page for the judge's, a dictionary for a cluster."""

import json
import subprocess
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

from models.release import Release, read_release, release_path, render_release, unreleased
from models.store import read_bytes
from pipelines import tracking
from pipelines.kube import ROLLOUT
from pipelines.lineage import Origin
from pipelines.reconcile_rollouts import reconcile_rollouts, unnoted
from pipelines.revision import RevisionGone
from pipelines.rollout_ended import ended
from pipelines.standing import Ending, standings
from tests.kustomize.conftest import released
from tests.pipelines.shelf import Shelf

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
NAMESPACE, PATH = "iris-staging", release_path("staging", "iris")
BRANCH = "revert/staging/iris/2"


def git(folder: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=folder, capture_output=True, text=True, check=True)
    return done.stdout.strip()


@pytest.fixture
def origin(tmp_path: Path, store: str) -> Path:
    """A bare repository in which version 1 was released to staging and then version 2."""
    work = tmp_path / "work"
    (work / PATH).parent.mkdir(parents=True)
    git(tmp_path, "init", "-q", "-b", "main", "work")
    for release in (unreleased("iris"), version(1), version(2)):
        (work / PATH).write_text(render_release(release), encoding="utf-8")
        git(work, "add", "-A")
        git(work, "commit", "-qm", f"staging runs {release.version}")
    git(tmp_path, "clone", "-q", "--bare", "work", "origin.git")
    return tmp_path / "origin.git"


def version(number: int) -> Release:
    origin = Origin(
        model="iris", commit=str(number) * 40, branch="main", data_md5="0" * 32, workflow="w", image="i", dirty=False
    )
    run = tracking.start_run(origin, parameters_hash="h", parameters={})
    digest = f"sha256:{number}" + "0" * 63
    tracking.register_version("iris", run_id=run, uri="s3://bundle", digest=digest, tags={})
    return replace(released("iris", str(number)), digest=digest, run=run)


@pytest.fixture
def report() -> Iterator[str]:
    """The address of a page such as the judge's."""

    class Page(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            judged = {"check": "predictions", "verdict": "fail", "reason": "0.9 from stable's", "candidate_hash": "two"}
            told = json.dumps({"judgements": [judged, judged | {"candidate_hash": "older", "reason": "old"}]}).encode()
            self.wfile.write(told if self.path.endswith(".json") else b"<h1>iris 2 in staging</h1>")

        def log_message(self, *_: object) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Page) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/reports/staging-iris-2"
        server.shutdown()
        thread.join()


@pytest.fixture
def shelf(origin: Path, report: str) -> Shelf:
    """Version 1 is stable under hash `one`, version 2 under hash `two` was aborted by two of its gates."""
    found = Shelf()
    for number, pod_hash in ((1, "one"), (2, "two")):
        found.put(replica_set(version(number), pod_hash))
    message = 'Rollout aborted update to revision 2: Step-based analysis: Metric "latency" assessed Failed'
    at = "2026-11-21T19:00:00Z"
    condition = {"type": "Progressing", "reason": "RolloutAborted", "message": message, "lastUpdateTime": at}
    found.put(rollout(stableRS="one", currentPodHash="two", abort=True, phase="Degraded", conditions=[condition]))
    found.put(analysis("serving-two-2-1", report, {"enough-samples": ("Successful", "[210]")}))
    found.put(
        analysis(
            "serving-two-2-3", report, {"latency": ("Failed", "[3.125]"), "prediction-shift": ("Failed", '"fail"')}
        )
    )
    return found


def rollout(**status: Any) -> dict[str, Any]:
    labels = {"app.kubernetes.io/name": "serving", "app.kubernetes.io/part-of": "mainline"}
    metadata = {"name": "serving", "namespace": NAMESPACE, "uid": "u", "labels": labels}
    return {"apiVersion": ROLLOUT[0], "kind": "Rollout", "metadata": metadata, "status": status}


def replica_set(release: Release, pod_hash: str) -> dict[str, Any]:
    said = {"version": release.version, "digest": release.digest, "run": release.run, "attempt": release.attempt}
    template = {
        "labels": {"mainline.dev/model": "iris", "mainline.dev/environment": "staging"},
        "annotations": {f"mainline.dev/{name}": value for name, value in said.items()},
    }
    metadata = {"name": f"serving-{pod_hash}", "namespace": NAMESPACE}
    return {"kind": "ReplicaSet", "metadata": metadata, "spec": {"template": {"metadata": template}}}


def analysis(name: str, report: str, metrics: dict[str, tuple[str, str]]) -> dict[str, Any]:
    metadata = {
        "name": name,
        "namespace": NAMESPACE,
        "creationTimestamp": f"2026-11-21T20:00:0{name[-1]}Z",
        "labels": {"rollouts-pod-template-hash": "two"},
        "annotations": {"link.argocd.argoproj.io/judge-report": report},
        "ownerReferences": [{"name": "serving"}],
    }
    rules = [{"name": metric, "successCondition": "result[0] <= {{args.limit}}"} for metric in metrics]
    results = [
        {"name": metric, "phase": phase, "measurements": [{"phase": phase, "value": value}]}
        for metric, (phase, value) in metrics.items()
    ]
    spec = {"args": [{"name": "limit", "value": "0.01"}], "metrics": rules}
    return {"kind": "AnalysisRun", "metadata": metadata, "spec": spec, "status": {"metricResults": results}}


def tell(shelf: Shelf, origin: Path, pod_hash: str, phase: Ending) -> list[str]:
    lines: list[str] = []
    ended(shelf.as_cluster(), str(origin), NAMESPACE, "serving", pod_hash, phase, say=lines.append, patience_seconds=0)
    return lines


def annotations(shelf: Shelf) -> dict[str, str]:
    found = shelf.get(ROLLOUT, "serving", NAMESPACE)
    assert found is not None
    return dict(found["metadata"].get("annotations", {}))


def test_an_abort_is_noted_with_what_closed_and_its_evidence_is_kept(shelf: Shelf, origin: Path, report: str) -> None:
    tell(shelf, origin, "two", Ending.ABORTED)
    (noted,) = standings(version(2), "staging")
    assert (noted.ending, noted.attempt) == (Ending.ABORTED, 1)
    assert noted.reason == "latency failed with [3.125]; prediction-shift failed: 0.9 from stable's"
    folder = f"{tracking.get_run(version(2).run).artifacts}/rollouts/staging/attempt-1"
    kept = json.loads(read_bytes(f"{folder}/evidence.json"))
    assert [each["metric"] for each in kept["failed"]] == ["latency", "prediction-shift"]
    assert kept["failed"][0]["success"] == "result[0] <= 0.01"
    assert kept["serving"]["version"] == "1"
    assert 'Metric "latency" assessed Failed' in kept["message"]
    assert read_bytes(f"{folder}/judge-report.html") == b"<h1>iris 2 in staging</h1>"
    text = read_bytes(f"{folder}/evidence.md").decode()
    assert "Version 1 serves all requests." in text
    assert "| predictions | fail | 0.9 from stable's |" in text
    assert "old" not in [each["reason"] for each in kept["judge"]["judgements"]]
    assert "| serving-two-2-3 | latency | Failed | [3.125] | result[0] <= 0.01 |" in text


def test_an_abort_proposes_the_former_release_byte_for_byte(shelf: Shelf, origin: Path) -> None:
    tell(shelf, origin, "two", Ending.ABORTED)
    assert git(origin, "show", f"{BRANCH}:{PATH}") == git(origin, "show", f"main~1:{PATH}")
    message = git(origin, "log", "-1", "--format=%B", BRANCH)
    assert message.startswith("revert: iris in staging to version 1, version 2 was aborted\n\n")
    assert "latency failed with [3.125]" in message
    assert git(origin, "diff", "--name-only", "main", BRANCH) == PATH


def test_the_rollout_tells_its_story(shelf: Shelf, origin: Path) -> None:
    tell(shelf, origin, "two", Ending.ABORTED)
    told = annotations(shelf)
    assert told["mainline.dev/outcome"] == "version 2, attempt 1: aborted"
    assert told["mainline.dev/revert"] == BRANCH
    assert told["mainline.dev/outcome-reason"].startswith("latency failed")
    assert told["mainline.dev/evidence"].endswith("/rollouts/staging/attempt-1/evidence.md")


def test_told_twice_nothing_changes(shelf: Shelf, origin: Path) -> None:
    tell(shelf, origin, "two", Ending.ABORTED)
    before = standings(version(2), "staging"), git(origin, "for-each-ref"), annotations(shelf), list(shelf.calls)
    tell(shelf, origin, "two", Ending.ABORTED)
    assert (standings(version(2), "staging"), git(origin, "for-each-ref"), annotations(shelf), shelf.calls) == before


def test_a_judge_that_does_not_answer_is_said_and_not_waited_for(shelf: Shelf, origin: Path) -> None:
    for item in shelf.objects.values():
        for key in item["metadata"].get("annotations", {}):
            item["metadata"]["annotations"][key] = "http://127.0.0.1:1/reports/x"
    tell(shelf, origin, "two", Ending.ABORTED)
    folder = f"{tracking.get_run(version(2).run).artifacts}/rollouts/staging/attempt-1"
    assert "did not answer" in read_bytes(f"{folder}/evidence.md").decode()


def test_nothing_is_reverted_where_main_says_something_else_by_now(shelf: Shelf, origin: Path, tmp_path: Path) -> None:
    git(tmp_path / "work", "revert", "--no-edit", "HEAD")
    git(tmp_path / "work", "push", "-q", str(origin), "main")
    lines = tell(shelf, origin, "two", Ending.ABORTED)
    assert any("nothing to take back" in line for line in lines)
    assert "revert/" not in git(origin, "for-each-ref")
    assert standings(version(2), "staging")[0].ending is Ending.ABORTED


def test_what_an_experiment_leaves_between_is_not_gone_back_to(shelf: Shelf, origin: Path, tmp_path: Path) -> None:
    """Version 3 was tried after version 2 while version 1 served: the revert restores what serves."""
    work = tmp_path / "work"
    (work / PATH).write_text(render_release(version(3)), encoding="utf-8")
    git(work, "commit", "-qam", "staging runs 3")
    git(work, "push", "-q", str(origin), "main")
    shelf.put(replica_set(version(3), "three"))
    shelf.put(rollout(stableRS="one", currentPodHash="three", abort=True))
    tell(shelf, origin, "three", Ending.ABORTED)
    assert read_release(git(origin, "show", f"revert/staging/iris/3:{PATH}") + "\n").version == "1"


def test_an_abort_without_a_closed_gate_has_the_controller_s_words(shelf: Shelf, origin: Path) -> None:
    for key in [key for key in shelf.objects if key[0] == "AnalysisRun"]:
        del shelf.objects[key]
    tell(shelf, origin, "two", Ending.ABORTED)
    assert standings(version(2), "staging")[0].reason.startswith("Rollout aborted update to revision 2")


def test_a_completed_rollout_is_noted_and_the_alias_follows(shelf: Shelf, origin: Path) -> None:
    shelf.put(rollout(stableRS="two", currentPodHash="two", phase="Healthy"))
    tell(shelf, origin, "two", Ending.COMPLETED)
    assert standings(version(2), "staging")[0].ending is Ending.COMPLETED
    assert tracking.aliases("iris") == {"staging": "2"}
    assert annotations(shelf)["mainline.dev/outcome"] == "version 2, attempt 1: completed"
    calls = list(shelf.calls)
    tell(shelf, origin, "two", Ending.COMPLETED)
    assert shelf.calls == calls


def test_the_alias_follows_git_and_not_a_rollout(shelf: Shelf, origin: Path) -> None:
    shelf.put(rollout(stableRS="one", currentPodHash="one", phase="Healthy"))
    tell(shelf, origin, "one", Ending.COMPLETED)
    assert standings(version(1), "staging")[0].ending is Ending.COMPLETED
    assert tracking.aliases("iris") == {}


def test_a_first_deployment_without_a_ready_pod_is_not_noted(shelf: Shelf, origin: Path) -> None:
    shelf.put(rollout(stableRS="two", currentPodHash="two", phase="Progressing"))
    assert "the reconciler looks again" in tell(shelf, origin, "", Ending.COMPLETED)[0]
    assert standings(version(2), "staging") == []


def test_an_abort_that_a_person_overrode_is_left(shelf: Shelf, origin: Path) -> None:
    shelf.put(rollout(stableRS="two", currentPodHash="two", phase="Healthy"))
    tell(shelf, origin, "two", Ending.ABORTED)
    assert standings(version(2), "staging") == []


def test_a_revision_that_is_gone_is_said(shelf: Shelf, origin: Path) -> None:
    with pytest.raises(RevisionGone, match="revisionHistoryLimit"):
        tell(shelf, origin, "nine", Ending.COMPLETED)


def test_the_reconciler_finds_what_nobody_told_once(shelf: Shelf, origin: Path) -> None:
    lines: list[str] = []
    assert reconcile_rollouts(shelf.as_cluster(), str(origin), say=lines.append) == []
    assert standings(version(2), "staging")[0].ending is Ending.ABORTED
    lines.clear()
    assert reconcile_rollouts(shelf.as_cluster(), str(origin), say=lines.append) == []
    assert lines == []


@pytest.mark.parametrize(
    ("status", "found"),
    [
        ({}, None),
        ({"currentPodHash": "two", "stableRS": "one", "phase": "Progressing"}, None),
        ({"currentPodHash": "two", "stableRS": "two", "phase": "Progressing"}, None),
        ({"currentPodHash": "two", "stableRS": "two", "phase": "Healthy"}, (Ending.COMPLETED, "two")),
        ({"currentPodHash": "two", "stableRS": "one", "abort": True}, (Ending.ABORTED, "two")),
    ],
    ids=["new", "under way", "first pods not ready", "completed", "aborted"],
)
def test_what_has_ended_is_read_off_the_status(status: dict[str, Any], found: tuple[Ending, str] | None) -> None:
    assert unnoted(rollout(**status), NOW) == found


def test_who_was_told_of_an_ending_is_given_time_to_note_it() -> None:
    condition = {"type": "Progressing", "lastUpdateTime": "2026-11-21T19:59:00Z"}
    ending = rollout(currentPodHash="two", stableRS="one", abort=True, conditions=[condition])
    assert unnoted(ending, NOW) is None
    assert unnoted(ending, NOW + timedelta(minutes=1)) == (Ending.ABORTED, "two")


def test_one_rollout_s_problem_does_not_keep_another_waiting(shelf: Shelf, origin: Path) -> None:
    broken = rollout(stableRS="x", currentPodHash="gone", abort=True)
    broken["metadata"]["namespace"] = "a-first"
    shelf.put(broken)
    errors = reconcile_rollouts(shelf.as_cluster(), str(origin), say=lambda _: None)
    assert len(errors) == 1, errors
    assert isinstance(errors[0], RevisionGone)
    assert standings(version(2), "staging")[0].ending is Ending.ABORTED
