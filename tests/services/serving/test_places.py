"""Truth of rows that several models answered: it reaches the row that the answer names, and no other."""

import gzip
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from services.serving.places import Places, own_id
from tests.services.serving.conftest import ROW, Made
from tests.services.serving.together import BY_KIND, FLAT_ROW, Two, pinned, serve

ATTIC = FLAT_ROW | {"kind": "attic"}
MIXED = {"instances": [ATTIC, ROW, ROW | {"age": 50}]}


@pytest.fixture
def two(regression: Made, flat: Made, tmp_path: Path) -> Two:
    return serve(pinned(regression, flat, route=BY_KIND), tmp_path)


def ask(two: Two, body: Any, request_id: str = "mine") -> Any:
    return two.client.post("/predict", json=body, headers={"X-Request-Id": request_id}).json()


def tell(two: Two, truth: dict[str, Any], path: str = "/feedback") -> Any:
    return two.client.post(path, json=truth)


def captured(two: Two, log: Path, model: str) -> dict[tuple[str, int], Any]:
    """What the judge joins truth with: rows by request id and row."""
    member = two.flat if model == "flat" else two.house
    assert member.capture is not None
    member.capture.close()
    (part,) = log.glob(f"model={model}/version=7/hash=local/hour=*/*.jsonl.gz")
    lines = [json.loads(line) for line in gzip.decompress(part.read_bytes()).splitlines()][1:]
    return {(line["request_id"], line["row"]): line["features"] for line in lines}


def test_truth_reaches_each_row_where_the_answer_says(two: Two, tmp_path: Path) -> None:
    routed = ask(two, MIXED)["routed"]
    for place, truth in zip(routed, ("dear", 1.5, 2.5), strict=True):
        told = tell(
            two,
            {"request_id": place["request_id"], "row": place["row"], "truth": truth},
            f"/models/{place['model']}/feedback",
        )
        assert [each["outcome"] for each in told.json()["feedback"]] == ["known"]
    logged = {model: captured(two, tmp_path, model) for model in ("flat", "house")}
    rows = [logged[place["model"]][place["request_id"], place["row"]] for place in routed]
    assert rows == [FLAT_ROW, ROW, ROW | {"age": 50}]


@pytest.mark.parametrize("path", ["/feedback", "/models/house/feedback", "/models/flat/feedback"])
@pytest.mark.parametrize(
    ("row", "model", "own", "truth"), [(0, "flat", 0, "dear"), (1, "house", 0, 9), (2, "house", 1, 9)]
)
def test_truth_of_the_callers_own_id_is_refused_and_says_where_to_tell_it(
    two: Two, path: str, row: int, model: str, own: int, truth: object
) -> None:
    ask(two, MIXED)
    answer = tell(two, {"request_id": "mine", "row": row, "truth": truth}, path)
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#feedback-refused")
    (error,) = answer.json()["errors"]
    assert error["rule"] == f"several models answered the request; row {row} is {model}'s"
    assert error["remedy"] == f"tell it at /models/{model}/feedback as row {own} of mine.{model}"


def test_no_log_has_a_row_of_the_callers_own_id(two: Two, tmp_path: Path) -> None:
    """So what a pod takes that did not answer is of no row either."""
    ask(two, MIXED)
    for model, n_rows in (("flat", 1), ("house", 2)):
        assert list(captured(two, tmp_path, model)) == [(f"mine.{model}", row) for row in range(n_rows)]


def test_truth_of_a_request_that_one_model_answered_is_that_models(two: Two) -> None:
    ask(two, ATTIC)
    (error,) = tell(two, {"request_id": "mine", "truth": "dear"}).json()["errors"]
    assert (error["rule"], error["remedy"]) == (
        "the request was answered by flat",
        "tell it at /models/flat/feedback",
    )
    told = tell(two, {"request_id": "mine", "truth": "dear"}, "/models/flat/feedback")
    assert told.json()["feedback"][0]["outcome"] == "known"
    ask(two, {"instances": [ROW, ROW]}, "other")
    assert tell(two, {"request_id": "other", "row": 1, "truth": 1}).json()["feedback"][0]["outcome"] == "known"
    assert tell(two, {"request_id": "elsewhere", "row": 1, "truth": 1}).status_code == 202


def test_the_last_request_of_an_id_counts(two: Two) -> None:
    ask(two, MIXED)
    ask(two, ROW)
    assert tell(two, {"request_id": "mine", "truth": 1}).json()["feedback"][0]["outcome"] == "known"


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(["a", "b", "c"]), min_size=1, max_size=40))
def test_every_row_is_found_where_it_was_put(models: list[str]) -> None:
    places = Places(["a", "b", "c"])
    rows = {model: [place for place, each in enumerate(models) if each == model] for model in dict.fromkeys(models)}
    places.remember("r", rows)
    for place, model in enumerate(models):
        told = places.elsewhere(model, "r", place)
        if len(rows) == 1:
            assert told is None
        else:
            assert told is not None
            assert told[1] == f"tell it at /models/{model}/feedback as row {rows[model].index(place)} of r.{model}"
    assert places.elsewhere("a", "r", len(models)) is None
    assert places.elsewhere("a", "q", 0) is None


def test_ids_stay_within_what_is_taken_and_apart() -> None:
    long = ["x" * 127 + end for end in "ab"]
    made = {own_id(request_id, model) for request_id in (*long, "x") for model in ("house", "flat")}
    assert len(made) == 6
    assert max(map(len, made)) <= 128
