"""From a registered version to the proposal that a person reads, on a real MLflow store and a real git remote."""

import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.errors import ConfigError, GateClosed
from models.release import read_release, release_path, render_release, unreleased
from pipelines import forge, lineage, tracking
from pipelines.jsonfile import write_json
from pipelines.lineage import Origin
from pipelines.proposal_body import body
from pipelines.release_proposal import propose_release

DIGEST = "sha256:" + "d" * 64
PATH = release_path("staging", "price")
Make = Callable[..., Origin]


def _document(verdict: str = "pass") -> dict[str, Any]:
    found = {"value": 12.345, "low": 11.0, "high": None}
    return {
        "metrics": {"rmse": found, "r2": {"value": None, "low": None, "high": None}},
        "champion": {
            "version": "3",
            "metrics": {"rmse": found},
            "difference": {"value": -1.0, "low": -2.0, "high": 0.5},
        },
        "gates": [{"gate": "champion", "verdict": verdict, "value": 1.0, "rule": "not worse | much", "reason": "seen"}],
        "metric": "rmse",
        "n_held_out": 120,
        "digest": DIGEST,
        "held_out_fingerprint": "fff",
        "plots": ["summary.png"],
    }


@pytest.fixture
def remote(tmp_path: Path) -> str:
    """A bare remote whose main has the unreleased staging overlay."""
    clone, bare = tmp_path / "clone", tmp_path / "origin.git"
    (clone / PATH).parent.mkdir(parents=True)
    (clone / PATH).write_text(render_release(unreleased("price")))
    for command in (["init", "-qb", "main"], ["add", "."], ["commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=clone, check=True)
    subprocess.run(["git", "clone", "-q", "--bare", str(clone), str(bare)], check=True)
    return str(bare)


def _registered(origin: Origin, evaluation: Path, verdict: str = "pass", dirty: str = "false") -> str:
    run = tracking.start_run(origin, parameters_hash="h", parameters={})
    tags = {lineage.VERDICT: verdict, lineage.COMMIT: origin.commit, lineage.DIRTY: dirty}
    tracking.register_version("price", run_id=run, uri="file:///b", digest=DIGEST, tags=tags)
    write_json(evaluation / "metrics.json", _document(verdict))
    return run


def test_pass_is_proposed_once(store: str, remote: str, origin: Make, tmp_path: Path) -> None:
    run = _registered(origin(), tmp_path)
    for _ in range(2):
        said = propose_release("price", run, "1", decision=tmp_path, repo=remote, base="main")
        assert said == "open: propose/staging/price/1"
    (proposal,) = forge.open_proposals(remote, "price", "staging")
    assert not proposal.draft
    text = subprocess.run(
        ["git", "show", f"{proposal.branch}:{PATH}"], cwd=remote, check=True, capture_output=True, text=True
    ).stdout
    release = read_release(text)
    assert (release.version, release.digest, release.run, release.image) == ("1", DIGEST, run, "this-machine")


def test_inconclusive_is_a_draft_that_names_the_gate(store: str, remote: str, origin: Make, tmp_path: Path) -> None:
    run = _registered(origin(), tmp_path, "inconclusive")
    propose_release("price", run, "1", decision=tmp_path, repo=remote, base="main")
    (proposal,) = forge.open_proposals(remote)
    assert proposal.draft
    assert "A person is asked to decide:** champion" in proposal.body


@pytest.mark.parametrize(("verdict", "dirty"), [("fail", "false"), ("pass", "true")], ids=["failed", "dirty"])
def test_version_that_may_not_be_released_is_refused(
    verdict: str, dirty: str, store: str, remote: str, origin: Make, tmp_path: Path
) -> None:
    run = _registered(origin(), tmp_path, verdict, dirty)
    with pytest.raises(GateClosed, match="only a clean tree"):
        propose_release("price", run, "1", decision=tmp_path, repo=remote, base="main")
    assert forge.open_proposals(remote) == []


def test_evaluation_of_another_bundle_is_refused(store: str, remote: str, origin: Make, tmp_path: Path) -> None:
    run = _registered(origin(), tmp_path)
    write_json(tmp_path / "metrics.json", _document() | {"digest": "sha256:" + "0" * 64})
    with pytest.raises(GateClosed, match="the evaluation is of"):
        propose_release("price", run, "1", decision=tmp_path, repo=remote, base="main")


def test_base_without_an_overlay_is_refused(store: str, remote: str, origin: Make, tmp_path: Path) -> None:
    run = _registered(origin(), tmp_path)
    with pytest.raises(ConfigError, match="must hold the release"):
        propose_release("price", run, "1", decision=tmp_path, repo=remote, base="elsewhere")


def test_body_shows_metrics_gates_lineage_and_plot(origin: Make) -> None:
    text = body(_document(), origin().tags(), version="7", uri="file:///b", run_id="r1", plots="file:///p")
    for words in (
        "| rmse | 12.35 [11, nan] | 12.35 [11, nan] |",
        "| r2 | no value | none |",
        "champion (version 3)",
        "Difference in rmse, same rows, paired: -1 [-2, 0.5].",
        "| champion | pass | not worse \\| much | seen |",
        "| model version | price 7 |",
        f"| digest | `{DIGEST}` |",
        "![summary.png](file:///p/summary.png)",
    ):
        assert words in text
    first = body(_document() | {"champion": None}, origin().tags(), version="7", uri="u", run_id="r", plots="p")
    assert "No champion: nothing is in production yet." in first
