"""Real bundles, a real capture log, the whole way from a request to a judgement."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from models.verdict import Verdict
from services.drift.assess import assess
from services.drift.judgement import Judgement, State
from services.drift.requests import parse
from services.drift.sources import Sources
from tests.services.drift.capture_log import leave
from tests.specimens.making import KEPT, made

pytestmark = pytest.mark.slow

PASS, FAIL, INCONCLUSIVE = Verdict
LIMITS: dict[str, dict[str, Any]] = {
    "inputs": {"max_distance": "0.2"},
    "predictions": {"max_beyond_announced": "0.1", "max_announced": "0.85", "max_announced_shift": "0.25"},
}
Ask = Callable[..., Judgement]


@pytest.fixture
def ask(tmp_path: Path) -> Ask:
    """Leaves the log of a candidate and of stable, and asks."""

    def judged(
        check: str, model: str = "diabetes", candidate: str = "better", *, drift: float = 0.0, n_rows: int = 700,
        stable_rows: int = 1500, lie: dict[str, Any] | None = None, stores: tuple[str, ...] = (KEPT.as_uri(),),
        masked: tuple[str, ...] = (),
        **asked: str,
    ) -> Judgement:  # fmt: skip
        log = tmp_path / "log"
        log.mkdir(exist_ok=True)
        now = datetime.now(UTC)
        if stable_rows:
            until = now - timedelta(minutes=7) if asked.get("compare") == "before" else now
            leave(
                log,
                made(f"{model}-stable"),
                pods="s",
                n_rows=stable_rows,
                drift=drift,
                seed=1,
                until=until,
                minutes=6,
                masked=masked,
            )
        if n_rows:
            bundle = made(f"{model}-{candidate}")
            leave(
                log,
                bundle,
                pods="c",
                version="2",
                n_rows=n_rows,
                drift=drift,
                seed=2,
                until=now,
                masked=masked,
                **(lie or {}),
            )
        request = {
            "check": check, "model": model, "candidate_hash": "c", "stable_hash": "s", "window": "30m",
            "min_rows": "500", "min_distinct_rows": "100", "alpha": "0.001", **LIMITS[check], **asked,
        }  # fmt: skip
        return assess(parse(request), Sources(log.as_uri(), stores, tmp_path / "cache"), now=datetime.now(UTC))

    return judged


@pytest.mark.parametrize(
    ("candidate", "inputs", "predictions"),
    [
        ("stable", PASS, PASS),
        ("better", PASS, PASS),
        ("unit", FAIL, FAIL),
        ("swapped", FAIL, FAIL),
        ("stale", FAIL, PASS),
        ("constant", PASS, FAIL),
        ("shifted", PASS, FAIL),
        ("overconfident", PASS, FAIL),
    ],
)
@pytest.mark.parametrize("model", ["diabetes", "iris"])
def test_a_bad_model_fails_and_a_good_one_passes(
    ask: Ask, model: str, candidate: str, inputs: Verdict, predictions: Verdict
) -> None:
    if (model, candidate) == ("iris", "stale"):
        predictions = FAIL  # a centimetre of sepal changes the species
    for check, verdict in (("inputs", inputs), ("predictions", predictions)):
        judged = ask(check, model, candidate)
        assert judged.verdict is verdict, judged.reason
        assert judged.candidate is not None
        assert judged.candidate.version == "2"


@pytest.mark.parametrize("candidate", ["stable", "better"])
def test_a_world_that_moved_passes_with_a_warning(ask: Ask, candidate: str) -> None:
    judged = ask("inputs", candidate=candidate, drift=1.0)
    assert judged.verdict is PASS
    assert "retrain" in judged.warnings[0]
    assert ask("predictions", candidate=candidate, drift=1.0).verdict is PASS


def test_an_identical_model_differs_in_nothing(ask: Ask) -> None:
    judged = ask("predictions", candidate="stable")
    assert judged.numbers["largest_live"] < 1e-4
    assert all(found.state is State.STEADY for found in judged.findings)


def test_a_server_that_does_not_tell_what_its_bundle_says_fails(ask: Ask) -> None:
    other = made("diabetes-stable")
    lie = {"uri": other.folder.as_uri(), "digest": str(other.digest)}
    judged = ask("predictions", candidate="better", lie=lie)
    assert judged.verdict is FAIL
    assert "not those of the candidate's own bundle" in judged.reason


@pytest.mark.parametrize(
    ("candidate", "inputs", "predictions"),
    [("better", PASS, PASS), ("unit", FAIL, FAIL), ("constant", PASS, FAIL), ("shifted", PASS, FAIL)],
)
def test_masked_features_are_left_out_and_said(ask: Ask, candidate: str, inputs: Verdict, predictions: Verdict) -> None:
    for check, verdict in (("inputs", inputs), ("predictions", predictions)):
        judged = ask(check, candidate=candidate, masked=("age", "sex"))
        assert judged.verdict is verdict, judged.reason
        assert any("masked" in warning and "age, sex" in warning for warning in judged.warnings)


def test_after_the_switch_stable_is_the_window_before(ask: Ask) -> None:
    for check in ("inputs", "predictions"):
        assert ask(check, compare="before").verdict is PASS
    assert ask("inputs", candidate="unit", compare="before").verdict is FAIL


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"n_rows": 0}, "holds no part of the candidate, hash c"),
        ({"stable_rows": 0}, "holds no part of stable, hash s"),
        ({"n_rows": 490}, "490 rows of the candidate in the window, at least 500"),
        ({"candidate_hash": "s"}, "the same pods"),
        ({"stores": ()}, "outside of the stores"),
        ({"lie": {"digest": "sha256:" + "0" * 64}}, "digest"),
        ({"lie": {"uri": KEPT.as_uri() + "/nowhere"}}, "nowhere"),
    ],
    ids=["no candidate", "no stable", "too few rows", "one hash", "no store", "another digest", "no bundle"],
)
@pytest.mark.parametrize("check", ["inputs", "predictions"])
def test_what_is_missing_is_inconclusive(ask: Ask, check: str, given: dict[str, Any], words: str) -> None:
    judged = ask(check, **given)
    assert judged.verdict is INCONCLUSIVE
    assert words in judged.reason


@pytest.mark.parametrize("uri", ["", "file:///nowhere/at/all", "s4://bucket"])
def test_no_capture_log_is_inconclusive(tmp_path: Path, uri: str) -> None:
    request = {"check": "inputs", "model": "iris", "candidate_hash": "c", "stable_hash": "s", "window": "5m"}
    judged = assess(parse(request | LIMITS["inputs"]), Sources(uri, (), tmp_path), now=datetime.now(UTC))
    assert judged.verdict is INCONCLUSIVE
