from pathlib import Path

from tests.bench.cells import Seen
from tests.bench.figures import RATIOS, Figure, Limit, given, ratio
from tests.bench.plot import draw, ratios
from tests.bench.report import document, failures, markdown
from tests.bench.seen import FOREST, LIMIT, OURS, QUICK, SLOW, measured, seen

ABOUT = {"date": "2026-11-21", "processor": "a processor"}
RATES = {OURS: [900.0, 1100.0], QUICK: [100.0, 100.0], SLOW: [10.0, 10.0], LIMIT: [5000.0, 5000.0]}


def test_each_figure_has_its_own_key() -> None:
    told = seen(RATES)
    found = document([ratio(told, RATIOS[0])], told, ABOUT, 2)
    figure = found["forest_1_row_c32_ratio_to_best_peer"]
    assert isinstance(figure, dict)
    assert (figure["value"], figure["spread"], figure["met"]) == (10.0, [9.0, 11.0], True)


def test_what_is_missing_is_told_as_missing() -> None:
    text = markdown([given("start", "process start", Limit(0.5), [], "not measured")], Seen(), ABOUT)
    row = next(line for line in text.splitlines() if "`start`" in line)
    assert "missing: not measured" in row
    assert "met" not in row.replace("not measured", "")


def test_servers_stand_in_the_order_of_their_rates() -> None:
    lines = markdown([], seen(RATES), ABOUT).splitlines()
    names = [line.split(",")[0].strip("| ") for line in lines if line.startswith("| ") and ", JSON" in line]
    assert names == [LIMIT, OURS, QUICK, SLOW]


def test_wrong_answers_lost_requests_and_unmet_figures_are_failures() -> None:
    told = Seen(cells=[measured(OURS, 0, 5, errors=2), measured(QUICK, 0, 1)], problems=["KServe: 500"])
    unmet = Figure("k", "s", Limit(10), [5.0])
    missing = Figure("m", "s", Limit(10))
    found = failures([unmet, missing], told)
    assert found[0] == "KServe: 500"
    assert found[1].endswith("2 requests had no good answer")
    assert found[2:] == ["k: got 5 x, must be >= 10 x"]


def test_a_picture_holds_ratios_to_the_best_peer(tmp_path: Path) -> None:
    told = seen(RATES)
    assert {name: value for (name, _, _), value in ratios(told, FOREST).items()} == {
        OURS: 10.0, QUICK: 1.0, SLOW: 0.1, LIMIT: 50.0
    }  # fmt: skip
    draw(told, ABOUT, tmp_path / "serving.png")
    assert (tmp_path / "serving.png").read_bytes().startswith(b"\x89PNG")
