"""A request that several models are asked for: answered, counted and captured by all of them, or by none."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from tests.services.serving.conftest import ROW, Made, metric
from tests.services.serving.together import BY_KIND, FLAT_ROW, Two, pinned, serve

ATTIC = FLAT_ROW | {"kind": "attic"}
BAD_ROW = ROW | {"zone": 3}
BAD_ATTIC = ATTIC | {"floor": 91}


def ended(two: Two, model: str) -> dict[str, float]:
    """Requests of a model by how they ended, those that did."""
    outcomes = ("answered", "refused", "unavailable", "failed", "abandoned")
    counts = {
        outcome: metric(two.client, "mainline_requests_total", f'model="{model}"', f'outcome="{outcome}"')
        for outcome in outcomes
    }
    return {outcome: count for outcome, count in counts.items() if count}


@pytest.mark.parametrize(
    ("rows", "house", "flat_ended"),
    [
        ([ATTIC, BAD_ROW], "refused", "abandoned"),
        ([BAD_ROW, ATTIC], "refused", "abandoned"),
        ([ROW, BAD_ATTIC], "abandoned", "refused"),
        ([ATTIC] * 90 + [BAD_ROW], "refused", "abandoned"),
        ([ATTIC] + [ROW] * 90 + [BAD_ROW], "refused", "abandoned"),
    ],
)
def test_what_one_model_refuses_no_other_answers_or_captures(
    regression: Made, flat: Made, tmp_path: Path, rows: list[Any], house: str, flat_ended: str
) -> None:
    two = serve(pinned(regression, flat, route=BY_KIND), tmp_path)
    assert two.client.post("/predict", json={"instances": rows}).status_code == 422
    assert (ended(two, "house"), ended(two, "flat")) == ({house: 1}, {flat_ended: 1})
    for member in (two.house, two.flat):
        assert metric(two.client, "mainline_predicted_rows_total", f'model="{member.state.name}"') == 0
        assert (member.state.in_flight, member.state.rows.left) == (0, member.state.settings.queue_rows)
        assert member.capture is not None
        member.capture.close()
    assert not list(tmp_path.glob("model=*/version=*/**/*.jsonl.gz"))


def test_models_of_a_request_are_asked_at_once(regression: Made, flat: Made, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each waits for the other's run: one after another would miss the deadline."""
    two = serve(pinned(regression, flat, route=BY_KIND))
    met = threading.Barrier(2, timeout=10)
    for member in (two.house, two.flat):
        assert member.state.served is not None
        predictor = member.state.served.predictor

        def meeting(matrix: Any, predict: Any = predictor.predict) -> Any:
            met.wait()
            return predict(matrix)

        monkeypatch.setattr(predictor, "predict", meeting)
    answer = two.client.post("/predict", json={"instances": [ROW, ATTIC] * 40})
    assert answer.status_code == 200, answer.text


def test_all_models_of_a_request_have_one_deadline(
    regression: Made, flat: Made, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What one takes on the event loop is taken from the other's time, too, and a late one leaves nothing behind."""
    two = serve(pinned(regression, flat, route=BY_KIND, request_seconds=0.3))
    goes_on = threading.Event()
    assert two.house.state.served is not None
    assert two.flat.state.served is not None
    first, second = two.house.state.served.predictor, two.flat.state.served.predictor

    def slow(matrix: Any, predict: Any = first.predict) -> Any:
        time.sleep(0.35)
        return predict(matrix)

    def stuck(matrix: Any, predict: Any = second.predict) -> Any:
        goes_on.wait(10)
        return predict(matrix)

    monkeypatch.setattr(first, "predict", slow)
    monkeypatch.setattr(second, "predict", stuck)
    answer = two.client.post("/predict", json={"instances": [ROW, *[ATTIC] * 40]})
    goes_on.set()
    assert (answer.status_code, answer.json()["type"]) == (504, "/docs#no-answer-in-time")
    assert "answered" not in ended(two, "house") | ended(two, "flat")
