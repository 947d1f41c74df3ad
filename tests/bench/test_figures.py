import math

import pytest

from tests.bench.cells import Seen
from tests.bench.figures import RATIOS, TAIL, Figure, Limit, best, figures, given, ratio, tail
from tests.bench.seen import FOREST, LARGE, LIMIT, OURS, QUICK, SLOW, measured, seen
from tests.bench.targets import Encoding, Role

FOREST_RATIO, JSON_ROWS, BINARY_ROWS = (
    next(each for each in RATIOS if each.key == key)
    for key in (
        "forest_1_row_c32_ratio_to_best_peer",
        "rows_4096_json_ratio_to_best_peer",
        "rows_4096_binary_ratio_to_best_peer_json",
    )
)


def test_a_ratio_is_that_of_each_round_to_the_best_peer() -> None:
    found = ratio(seen({OURS: [1000, 3000, 2000], SLOW: [10, 10, 10], QUICK: [100, 100, 100]}), FOREST_RATIO)
    assert found.values == [10, 30, 20]
    assert (found.value, found.met, found.goal_met) == (20, True, True)
    assert found.against == "quick peer, JSON"


def test_the_best_peer_is_that_of_each_round() -> None:
    found = ratio(seen({OURS: [1000, 1000, 1000], SLOW: [1, 1, 500], QUICK: [100, 200, 100]}), FOREST_RATIO)
    assert found.values == [10, 5, 2]
    assert found.against == "quick peer, JSON; slow peer, JSON"


def test_our_best_way_is_the_one_of_the_highest_median() -> None:
    rounds = best(seen({SLOW: [1, 1, 900], QUICK: [100, 100, 100]}), FOREST, Role.PEER, (Encoding.JSON,))
    assert {each.target for each in rounds.values()} == {QUICK}


@pytest.mark.parametrize(
    ("rates", "met", "goal_met"),
    [([999, 999], False, False), ([1000, 1000], True, False), ([2000, 2000], True, True)],
    ids=["below must", "at must", "at goal"],
)
def test_a_figure_is_met_at_its_limit(rates: list[float], met: bool, goal_met: bool) -> None:
    found = ratio(seen({OURS: rates, QUICK: [100, 100]}), FOREST_RATIO)
    assert (found.met, found.goal_met) == (met, goal_met)


def test_what_ours_does_not_serve_yet_is_missing_and_not_met() -> None:
    told = seen({QUICK: [10, 10]}, cell=LARGE)
    told.missing.append("Mainline, logistic, 4096 rows: /v2/models/logistic/infer: not served yet (404)")
    found = ratio(told, BINARY_ROWS)
    assert math.isnan(found.value)
    assert found.met is False
    assert found.missing == "/v2/models/logistic/infer: not served yet (404)"


def test_without_a_peer_a_ratio_is_missing_and_not_met() -> None:
    found = ratio(seen({OURS: [1000, 1000]}), FOREST_RATIO)
    assert (list(found.values), found.met) == ([], False)
    assert found.missing == "nothing to compare with was measured"


def test_rounds_without_the_other_do_not_count() -> None:
    found = ratio(seen({OURS: [1000, 3000, 2000], QUICK: [100]}), FOREST_RATIO)
    assert found.values == [10]


def test_our_binary_rows_are_held_against_the_peers_json() -> None:
    cells = [
        measured(OURS, 0, 600, cell=LARGE, encoding=Encoding.BINARY), measured(OURS, 0, 90, cell=LARGE),
        measured(QUICK, 0, 30, cell=LARGE), measured(QUICK, 0, 300, cell=LARGE, encoding=Encoding.BINARY),
    ]  # fmt: skip
    told = Seen(cells=cells)
    assert ratio(told, BINARY_ROWS).value == 20
    assert ratio(told, JSON_ROWS).value == 3


def test_the_tail_is_held_against_the_limits_own() -> None:
    told = Seen(cells=[measured(OURS, 0, 1, p99=3.0), measured(LIMIT, 0, 1, p99=2.0), measured(QUICK, 0, 1, p99=100.0)])
    found = tail(told)
    assert (found.value, found.met, found.goal_met) == (1.5, True, False)


def test_a_lower_figure_is_better_where_its_limit_says_so() -> None:
    assert [TAIL.limit.holds(value, 1.5) for value in (1.4, 1.5, 1.6)] == [True, True, False]


@pytest.mark.parametrize(
    ("changes", "note"),
    [
        ({"errors": 3}, "Mainline: 3 requests had no good answer"),
        ({"load_cpu": 0.99}, "Mainline: the load generator was the limit, its rate is a lower bound"),
        ({"other_cpu": 1.2}, "Mainline: other processes used 1.2 cores meanwhile"),
    ],
)
def test_what_makes_a_figure_doubtful_stands_beside_it(changes: dict[str, float], note: str) -> None:
    told = Seen(cells=[measured(OURS, 0, 1000, **changes), measured(QUICK, 0, 100)])  # type: ignore[arg-type]
    found = ratio(told, FOREST_RATIO)
    assert found.notes == [note]
    assert found.disturbed is ("other processes" in note)


def test_every_limit_of_the_issue_has_its_figure() -> None:
    found = {figure.key: figure.limit for figure in figures(Seen(), [given("start", "", Limit(0.5), [])])}
    assert {key: (limit.must, limit.goal) for key, limit in found.items() if limit.must is not None} == {
        "forest_1_row_c32_ratio_to_best_peer": (10, 20),
        "logistic_30_columns_c128_ratio_to_best_peer": (10, 20),
        "p99_c32_ratio_to_raw_asgi": (1.5, 1.0),
        "rows_4096_json_ratio_to_best_peer": (3, None),
        "rows_4096_binary_ratio_to_best_peer_json": (12, None),
        "forest_4096_binary_ratio_to_best_peer_any": (3, None),
        "start": (0.5, None),
    }


def test_a_document_says_value_limits_and_spread() -> None:
    told = Figure("k", "s", Limit(10, 20), [12.0, 8.0, 30.0], against="quick peer, JSON").document()
    assert {name: told[name] for name in ("value", "must", "goal", "met", "goal_met", "spread", "against")} == {
        "value": 12.0, "must": 10, "goal": 20, "met": True, "goal_met": False, "spread": [8.0, 30.0],
        "against": "quick peer, JSON",
    }  # fmt: skip
