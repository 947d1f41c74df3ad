"""Truth told to a server: what it says of it, what the judge reads of it, and what it is worth."""

import dataclasses
import math
import signal
import time
import tracemalloc
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
from starlette.testclient import TestClient

from models.store import write_bytes
from services.drift.feedback import _MAX_TRUTH, read_feedback
from services.drift.feedback import Feedback as Read
from services.replayed import PREFIX
from services.serving import feedback as module
from services.serving import truths
from services.serving.app import create
from services.serving.feedback import Feedback
from services.serving.state import State
from services.serving.truths import Truth
from tests.services.serving.conftest import ROW, Made, Running, loaded_state, metric
from tests.services.serving.v2.speaking import columns

OUTCOMES = ("known", "unknown", "repeated", "corrected", "refused", "unavailable")


@dataclass
class Told:
    """A server whose log lies in a folder."""

    client: TestClient
    feedback: Feedback
    state: State
    log: Path

    def predict(self, request_id: str, *ages: float) -> list[Any]:
        """Asks for a row of each age; the predictions."""
        body = {"instances": [ROW | {"age": age} for age in ages or (41.5,)]}
        answer = self.client.post("/predict", json=body, headers={"X-Request-Id": request_id})
        return [prediction["prediction"] for prediction in answer.json()["predictions"]]

    def tell(self, *truths: tuple[Any, ...]) -> list[str]:
        """Tells (request id, truth) or (request id, row, truth); the outcomes."""
        items = [
            {"request_id": told[0], "truth": told[-1]} | ({"row": told[1]} if len(told) == 3 else {}) for told in truths
        ]
        answer = self.client.post("/feedback", json=items[0] if len(items) == 1 else {"feedback": items})
        assert answer.status_code == 202, answer.text
        return [told["outcome"] for told in answer.json()["feedback"]]

    def read(self) -> Read:
        """What the judge reads."""
        self.feedback.spool.flush()
        now = datetime.now(UTC)
        return read_feedback(self.log.as_uri(), model="house", begin=now - timedelta(minutes=5), now=now)

    def counted(self) -> dict[str, float]:
        """mainline_feedback_total by outcome."""
        found = {name: metric(self.client, "mainline_feedback_total", f'outcome="{name}"') for name in OUTCOMES}
        return {name: count for name, count in found.items() if count}


def told(made: Made, log: Path, write: Callable[[str, bytes], object] = write_bytes) -> Told:
    log.mkdir(exist_ok=True)
    settings = dataclasses.replace(made.settings, capture_uri=log.as_uri(), capture_flush_seconds=3600.0)
    state = loaded_state(dataclasses.replace(made, settings=settings))
    assert state.served is not None
    feedback = Feedback(settings, state.metrics, write=write)
    feedback.start(state.served.bundle.manifest)
    return Told(TestClient(create(state, feedback=feedback)), feedback, state, log)


@pytest.fixture
def price(regression: Made, tmp_path: Path) -> Iterator[Told]:
    made = told(regression, tmp_path / "log")
    yield made
    made.feedback.spool.end()


@pytest.fixture
def band(classification: Made, tmp_path: Path) -> Iterator[Told]:
    made = told(classification, tmp_path / "log")
    yield made
    made.feedback.spool.end()


def test_what_is_told_is_what_the_judge_reads(price: Told) -> None:
    price.tell(("a", 1.5), ("b", 0, 2), ("b", 1, -3.25e9))
    price.tell(("c", 4))
    price.feedback.spool.flush()
    price.tell(("a", 10.5))
    assert price.read() == Read({("a", 0): 10.5, ("b", 0): 2.0, ("b", 1): -3.25e9, ("c", 0): 4.0})
    names = [part.relative_to(price.log).as_posix() for part in price.log.rglob("*.jsonl.gz")]
    assert len(names) == 2
    assert all(name.startswith("model=house/feedback/hour=20") for name in names)
    assert metric(price.client, "mainline_feedback_written_total") == 5
    assert metric(price.client, "mainline_feedback_dropped_total") == 0


def test_many_truths_are_taken_alike(price: Told) -> None:
    truths = [(f"{number:060}", number + 0.5) for number in range(100)]  # more than is read on the event loop
    assert price.tell(*truths) == ["unknown"] * 100
    assert price.read().truth == {(request_id, 0): truth for request_id, truth in truths}
    items = [{"request_id": request_id, "truth": "x"} for request_id, _ in truths]
    answer = price.client.post("/feedback", json={"feedback": items})
    assert (answer.status_code, len(answer.json()["errors"])) == (422, 100)


def test_what_the_protocol_answered_is_known_too(price: Told, band: Told) -> None:
    for here, truth in ((price, 5.0), (band, "dear")):
        asked = {"inputs": columns([ROW, ROW])}
        answer = here.client.post("/v2/models/house/infer", json=asked, headers={"X-Request-Id": "asked"})
        assert answer.status_code == 200, answer.text
        assert here.tell(("asked", 1, truth), ("other", 0, truth)) == ["known", "unknown"]


def test_the_judge_takes_every_truth_that_the_server_takes() -> None:
    assert truths._MAX_TRUTH == _MAX_TRUTH


def test_classes_are_read_by_name(band: Told) -> None:
    band.tell(("a", "dear"), ("b", 3, "cheap"))
    assert band.read().truth == {("a", 0): "dear", ("b", 3): "cheap"}


def test_a_server_says_what_it_knows_of_a_truth(price: Told) -> None:
    price.predict("mine")
    price.predict("many", 1, 2, 3)
    assert price.tell(("mine", 5.0), ("many", 2, 5.0), ("elsewhere", 5.0)) == ["known", "known", "unknown"]
    assert price.tell(("mine", 5), ("elsewhere", 5.0)) == ["repeated", "repeated"]
    assert price.tell(("elsewhere", 6.0), ("elsewhere", 6.0), ("elsewhere", 5.0)) == [
        "corrected",
        "repeated",
        "corrected",
    ]
    assert price.read().truth == {("mine", 0): 5.0, ("many", 2): 5.0, ("elsewhere", 0): 5.0}
    assert price.counted() == {"known": 2, "unknown": 1, "repeated": 3, "corrected": 2}


def test_a_repeated_truth_is_not_written_twice(price: Told) -> None:
    for _ in range(3):
        price.tell(("a", 1.0))
    price.feedback.spool.flush()
    assert metric(price.client, "mainline_feedback_written_total") == 1


def test_the_answer_tells_all_of_it(price: Told, regression: Made) -> None:
    price.predict("mine")
    body = {"feedback": [{"request_id": "mine", "truth": 1}, {"request_id": "other", "row": 2, "truth": 1}]}
    answer = price.client.post("/feedback", json=body, headers={"X-Request-Id": "telling"})
    assert (answer.status_code, answer.headers["x-request-id"]) == (202, "telling")
    assert answer.headers["mainline-digest"] == regression.digest
    assert answer.json() == {
        "model": "house",
        "version": "7",
        "digest": regression.digest,
        "request_id": "telling",
        "accepted": 2,
        "outcomes": {"known": 1, "unknown": 1},
        "feedback": [
            {"request_id": "mine", "row": 0, "outcome": "known"},
            {"request_id": "other", "row": 2, "outcome": "unknown"},
        ],
    }


@pytest.mark.parametrize(
    ("truth", "rule"),
    [
        ({"request_id": "many", "truth": 1}, "the request had 3 rows, and a truth is of one"),
        ({"request_id": "many", "row": 3, "truth": 1}, "the request had 3 rows, counted from 0"),
        ({"request_id": "one", "row": 1, "truth": 1}, "the request had 1 row, counted from 0"),
        ({"request_id": "one", "truth": "dear"}, "must be a finite number in USD, within ±3.4e+38"),
    ],
)
def test_a_truth_of_no_row_is_refused_with_all_of_its_request(price: Told, truth: dict[str, Any], rule: str) -> None:
    price.predict("one")
    price.predict("many", 1, 2, 3)
    answer = price.client.post("/feedback", json={"feedback": [{"request_id": "x", "truth": 1}, truth]})
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#feedback-refused")
    assert [(error["row"], error["rule"]) for error in answer.json()["errors"]] == [(1, rule)]
    assert price.counted() == {"refused": 1}
    assert price.read().truth == {}


def test_live_error_is_the_mean_over_known_answers(price: Told) -> None:
    assert math.isnan(metric(price.client, "mainline_live_absolute_error"))
    assert metric(price.client, "mainline_live_quality_rows") == 0
    first, second, third = price.predict("a", 1, 2, 3)
    price.tell(("a", 0, first + 8), ("a", 1, second - 2), ("a", 2, third + 5), ("unknown", 1e9))
    assert metric(price.client, "mainline_live_quality_rows") == 3
    assert metric(price.client, "mainline_live_absolute_error") == pytest.approx(5, abs=0.01)
    price.tell(("a", 0, first + 8))
    price.tell(("a", 2, third - 11))
    assert metric(price.client, "mainline_live_quality_rows") == 3
    assert metric(price.client, "mainline_live_absolute_error") == pytest.approx(7, abs=0.01)
    assert "mainline_live_accuracy_ratio" not in price.client.get("/metrics").text


def test_live_accuracy_is_the_share_of_true_classes(band: Told) -> None:
    assert band.predict("a", 1, 2, 3, 4) == ["dear"] * 4
    band.tell(("a", 0, "dear"), ("a", 1, "dear"), ("a", 2, "cheap"), ("a", 3, "dear"))
    assert metric(band.client, "mainline_live_accuracy_ratio") == 0.75
    band.tell(("a", 2, "dear"))
    assert metric(band.client, "mainline_live_accuracy_ratio") == 1.0
    assert "mainline_live_absolute_error" not in band.client.get("/metrics").text


def test_judges_own_answers_are_not_remembered(price: Told) -> None:
    price.predict(f"{PREFIX}1")
    assert price.tell((f"{PREFIX}1", 1.0)) == ["unknown"]


def test_answers_of_one_turn_are_remembered_together(price: Told, band: Told) -> None:
    price.feedback.remember_each(["a", "b"], {"prediction": np.array([1.5, 2.5], dtype=np.float32)})
    assert price.tell(("a", 2.0), ("b", 3.0), ("c", 1.0)) == ["known", "known", "unknown"]
    price.feedback.remember_rows("c", {"prediction": np.array([1.0, 2.0], dtype=np.float32)})
    assert price.tell(("c", 1, 2.5)) == ["known"]
    assert metric(price.client, "mainline_live_absolute_error") == 0.5
    band.feedback.remember_each(["a", "b"], {"probabilities": np.array([[0.2, 0.8], [0.9, 0.1]], dtype=np.float32)})
    assert band.tell(("a", "dear"), ("b", "dear")) == ["known", "known"]
    assert metric(band.client, "mainline_live_accuracy_ratio") == 0.5


def test_ids_are_in_no_metric(price: Told) -> None:
    price.predict("needle")
    price.tell(("needle", 1.0))
    assert "needle" not in price.client.get("/metrics").text


def test_without_a_log_nobody_would_read_it(client: TestClient) -> None:
    answer = client.post("/feedback", json={"request_id": "r", "truth": 1})
    assert (answer.status_code, answer.json()["type"]) == (409, "/docs#feedback-off")
    assert "MAINLINE_CAPTURE_URI" in answer.json()["errors"][0]["remedy"]
    assert metric(client, "mainline_feedback_total", 'outcome="refused"') == 1
    assert metric(client, "mainline_feedback_total", 'outcome="unavailable"') == 0


def test_before_the_model_is_there_truth_has_to_wait(price: Told) -> None:
    price.state.served = None
    answer = price.client.post("/feedback", json={"request_id": "r", "truth": 1})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert price.counted() == {"unavailable": 1}


def test_more_than_fits_is_refused_and_may_come_again(
    regression: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 3_500)
    price = told(regression, tmp_path / "log")
    price.tell(("a", 1.0))
    body = {"feedback": [{"request_id": f"r{number}", "truth": 1} for number in range(6)]}
    answer = price.client.post("/feedback", json=body)
    assert (answer.status_code, answer.headers["retry-after"], answer.json()["type"]) == (503, "5", "/docs#busy")
    assert price.counted() == {"unknown": 1, "unavailable": 1}
    assert price.read().truth == {("a", 0): 1.0}
    assert price.client.post("/feedback", json=body | {"feedback": body["feedback"][:3]}).status_code == 202
    assert price.tell(("r0", 1.0), ("r5", 1.0)) == ["repeated", "unknown"]
    price.feedback.spool.end()


def test_a_store_that_fails_is_counted(regression: Made, tmp_path: Path) -> None:
    def write(uri: str, data: bytes) -> None:
        raise OSError("no space")

    price = told(regression, tmp_path / "log", write)
    price.tell(("a", 1.0), ("b", 1.0))
    price.feedback.spool.flush()
    assert metric(price.client, "mainline_feedback_dropped_total") == 2
    assert metric(price.client, "mainline_feedback_written_total") == 0
    price.feedback.spool.end()


@pytest.mark.parametrize("n_truths", [1, 50])
def test_memory_stays_below_its_bound(state: State, monkeypatch: pytest.MonkeyPatch, n_truths: int) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 200_000)
    feedback = Feedback(state.settings, state.metrics, write=write_bytes)  # not started: nobody empties it
    taken = 0
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(1_000):
            given = [Truth(f"{number:0100}-{row:027}", row, number + 0.5, number + 0.5) for row in range(n_truths)]
            if not feedback.spool.put(module._entry(given)):
                break
            taken += n_truths
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert taken > 100
    assert 0.25 * 200_000 < after - before < 200_000


@pytest.mark.slow
def test_truth_told_to_a_process_reaches_the_log_when_it_ends(
    start: Callable[..., Running], regression: Made, tmp_path: Path
) -> None:
    running = start(regression.settings, MAINLINE_CAPTURE_URI=tmp_path.as_uri(), MAINLINE_CAPTURE_FLUSH_SECONDS="3600")
    answer = httpx2.post(f"{running.url}/predict", json=ROW)
    request_id, value = answer.headers["x-request-id"], answer.json()["predictions"][0]["prediction"]
    said = httpx2.post(f"{running.url}/feedback", json={"request_id": request_id, "truth": value + 3})
    assert (said.status_code, said.json()["outcomes"]) == (202, {"known": 1})
    text = httpx2.get(f"{running.url}/metrics").text
    assert 'mainline_live_quality_rows{model="house",model_version="7"} 1.0' in text
    assert not list(tmp_path.rglob("*.jsonl.gz"))
    begun = time.monotonic()
    running.process.send_signal(signal.SIGTERM)
    code, _ = running.end()
    assert (code, time.monotonic() - begun < 5) == (0, True)
    now = datetime.now(UTC)
    read = read_feedback(tmp_path.as_uri(), model="house", begin=now - timedelta(minutes=5), now=now)
    assert read == Read({(request_id, 0): value + 3})
