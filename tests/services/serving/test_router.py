"""Rows to /predict that another model answers, by the value of a field."""

import json
from collections.abc import Callable
from typing import Any

import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from starlette.testclient import TestClient

from services.replayed import PREFIX
from services.serving.app import create
from services.serving.beside import ByField
from tests.services.serving.conftest import ROW, Made, Running, loaded_state, metric
from tests.services.serving.together import BY_KIND, FLAT_ROW, Two, pinned, serve

ATTIC = FLAT_ROW | {"kind": "attic"}
DETACHED = ROW | {"kind": "detached"}


@pytest.fixture
def two(regression: Made, flat: Made) -> Two:
    return serve(pinned(regression, flat, route=BY_KIND))


def ask(client: TestClient, body: Any, path: str = "/predict") -> Any:
    return client.post(path, json=body, headers={"X-Request-Id": "mine"})


@pytest.mark.parametrize(("row", "model"), [(ATTIC, "flat"), (DETACHED, "house"), (ROW, "house")])
@pytest.mark.parametrize("many", [False, True])
def test_rows_of_one_model_are_answered_as_by_it_alone(
    two: Two, regression: Made, flat: Made, row: dict[str, Any], model: str, many: bool
) -> None:
    plain = {name: value for name, value in row.items() if name != "kind"}
    made = regression if model == "house" else flat
    wanted = ask(TestClient(create(loaded_state(made))), {"instances": [plain] * 2} if many else plain)
    answer = ask(two.client, {"instances": [row] * 2} if many else row)
    assert (answer.status_code, answer.content) == (200, wanted.content)
    assert {**answer.headers} == {**wanted.headers}


@settings(max_examples=30, deadline=None, suppress_health_check=list(HealthCheck))
@given(ages=st.lists(st.tuples(st.booleans(), st.integers(5, 99)), min_size=1, max_size=60))
def test_every_row_gets_its_own_answer_in_order(two: Two, ages: list[tuple[bool, int]]) -> None:
    rows = [ATTIC | {"area": age} if attic else DETACHED | {"age": age} for attic, age in ages]
    answer = ask(two.client, {"instances": rows})
    assert answer.status_code == 200, answer.text
    alone = [ask(two.client, row).json()["predictions"][0] for row in rows]
    assert answer.json()["predictions"] == alone


def test_an_answer_of_several_models_says_whose_each_prediction_is(two: Two, regression: Made, flat: Made) -> None:
    answer = ask(two.client, {"instances": [ATTIC, DETACHED | {"age": 130}, ATTIC, ROW]})
    document = answer.json()
    assert (answer.headers["mainline-digest"], answer.headers["x-request-id"]) == (regression.digest, "mine")
    assert (document["model"], document["digest"], document["request_id"]) == ("house", regression.digest, "mine")
    assert document["models"] == {
        "flat": {"version": "7", "digest": flat.digest},
        "house": {"version": "7", "digest": regression.digest},
    }
    assert [(told["model"], told["request_id"], told["row"]) for told in document["routed"]] == [
        ("flat", "mine.flat", 0),
        ("house", "mine.house", 0),
        ("flat", "mine.flat", 1),
        ("house", "mine.house", 1),
    ]
    assert [(warning["row"], warning["feature"]) for warning in document["warnings"]] == [(1, "age")]


@pytest.mark.parametrize("text", ["\u00e9" * 8_000, "\ud800"], ids=["long", "half a character"])
def test_a_text_reaches_its_model_as_long_as_it_came(two: Two, text: str) -> None:
    body = json.dumps(DETACHED | {"street": text}, ensure_ascii=text == "\ud800").encode()
    answer = two.client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == 200, answer.text
    assert [warning["feature"] for warning in answer.json()["warnings"]] == ["street"]


@pytest.mark.parametrize("value", ["attics", "", None, 3, ["attic"], {"attic": 1}])
def test_an_unknown_value_is_refused_with_the_known_ones(two: Two, value: object) -> None:
    answer = ask(two.client, {"instances": [ATTIC, FLAT_ROW | {"kind": value}]})
    assert (answer.status_code, answer.json()["type"]) == (422, "/docs#rows-refused")
    (error,) = answer.json()["errors"]
    assert (error["row"], error["feature"], error["rule"]) == (1, "kind", "must be one of detached, attic")
    assert error["remedy"] == ('did you mean "attic"?' if value == "attics" else "send one of them")
    assert metric(two.client, "mainline_requests_total", 'model="house"', 'outcome="refused"') == 1
    assert metric(two.client, "mainline_predicted_rows_total", 'model="flat"') == 0


def test_a_refusal_by_one_model_names_the_callers_rows(two: Two) -> None:
    answer = ask(two.client, {"instances": [DETACHED, ATTIC, DETACHED, ATTIC | {"floor": 91}]})
    assert (answer.status_code, answer.headers["content-type"]) == (422, "application/problem+json")
    assert (answer.headers["x-request-id"], answer.json()["request_id"]) == ("mine", "mine")
    assert [(error["row"], error["feature"]) for error in answer.json()["errors"]] == [(3, "floor")]


PLAIN = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(max_size=8)
VALUES = st.recursive(PLAIN, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=4), inner))
ANY_ROW = st.fixed_dictionaries(
    {},
    optional={
        "kind": st.sampled_from(["attic", "detached"]) | VALUES,
        **{name: st.just(value) | VALUES for name, value in (FLAT_ROW | ROW).items()},
    },
)
ANY_BODY = (
    ANY_ROW
    | VALUES
    | st.fixed_dictionaries(
        {"instances": st.lists(ANY_ROW | PLAIN, max_size=5) | VALUES}, optional={"features": VALUES}
    )
)


@settings(max_examples=150, deadline=None, suppress_health_check=list(HealthCheck))
@given(body=ANY_BODY)
def test_no_body_fails_the_server_or_leaves_anything_behind(two: Two, body: Any) -> None:
    answer = two.client.post("/predict", content=json.dumps(body), headers={"Content-Type": "application/json"})
    assert answer.status_code in (200, 400, 413, 422), answer.text
    for member in (two.house, two.flat):
        assert (member.state.in_flight, member.state.rows.left) == (0, member.state.settings.queue_rows)


@pytest.mark.slow
def test_the_process_routes_what_its_hot_path_would_have_answered(
    start: Callable[..., Running], regression: Made, flat: Made
) -> None:
    own = flat.settings
    running = start(
        regression.settings,
        MAINLINE_BESIDE_FLAT=f"{own.version} {own.uri} {own.digest}",
        MAINLINE_ROUTE=json.dumps({"zone": {"south": "house"}}),
    )
    assert httpx2.post(f"{running.url}/predict", json=ROW).status_code == 200
    refused = httpx2.post(f"{running.url}/predict", json=ROW | {"zone": "north"})
    assert refused.json()["errors"][0]["rule"] == "must be one of south"


@pytest.mark.parametrize(
    ("body", "status"),
    [
        (b"{", 400),
        (b'{"kind":"attic","kind":"attic"}', 400),
        (b"[]", 422),
        (b'{"instances":[]}', 422),
        (b'{"instances":[1]}', 422),
        (b'{"kind":"attic","area":1e400,"floor":4,"lift":1}', 400),
        (b'{"features":[41.5,6,"Pave","south","2008-02-29"]}', 200),
        (b" " * 20_001, 413),
    ],
)
def test_a_body_of_no_named_rows_is_the_main_models(two: Two, body: bytes, status: int) -> None:
    answer = two.client.post("/predict", content=body, headers={"Content-Type": "application/json"})
    assert answer.status_code == status
    assert metric(two.client, "mainline_requests_in_flight", 'model="house"') == 0


def test_another_content_type_is_refused(two: Two) -> None:
    assert two.client.post("/predict", content=b"{}", headers={"Content-Type": "text/plain"}).status_code == 415
    assert two.client.get("/predict").status_code == 405


def test_a_field_that_the_model_knows_stays_in_the_row(regression: Made, flat: Made) -> None:
    two = serve(pinned(regression, flat, route=ByField("zone", {"south": "house", "north": "house"})))
    assert (
        ask(two.client, ROW).json()["predictions"]
        == ask(two.client, ROW, "/models/house/predict").json()["predictions"]
    )


def test_each_request_is_counted_by_every_model_that_it_asks(two: Two) -> None:
    ask(two.client, {"instances": [DETACHED, ATTIC, ATTIC]})
    ask(two.client, ATTIC)
    for model, answered, rows in (("house", 1, 1), ("flat", 2, 3)):
        assert metric(two.client, "mainline_requests_total", f'model="{model}"', 'outcome="answered"') == answered
        assert metric(two.client, "mainline_predicted_rows_total", f'model="{model}"') == rows


def test_the_judges_own_requests_are_no_traffic(two: Two) -> None:
    answer = two.client.post("/predict", json=ATTIC, headers={"X-Request-Id": f"{PREFIX}1"})
    assert answer.status_code == 200
    assert metric(two.client, "mainline_predicted_rows_total", 'model="flat"') == 0


def test_a_model_that_is_not_there_yet_refuses_its_rows_alone(two: Two) -> None:
    two.flat.state.served = None
    assert ask(two.client, ATTIC).status_code == 503
    assert ask(two.client, {"instances": [DETACHED, ATTIC]}).status_code == 503
    assert ask(two.client, DETACHED).status_code == 200
    two.house.state.served = None
    assert ask(two.client, DETACHED).status_code == 503
