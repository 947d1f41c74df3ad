"""`make bench-gates` end to end, with few rollouts."""

import json
from pathlib import Path

import pytest

from pipelines.rehearsal.simulate import bench
from pipelines.rehearsal.simulate.defects import bad_grades, good_grades
from pipelines.rehearsal.simulate.recipes import MODELS


@pytest.mark.slow
def test_writes_its_figures_and_prints_them(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert bench.main(["--rollouts", "12", "--seed", "1", "--out", str(tmp_path)]) == 0
    told = json.loads((tmp_path / "gates.json").read_text())
    assert told["rollouts"] == 12
    assert told["bad_promoted"] == 0
    assert {"good_aborted_share", "median_abort_seconds"} <= told.keys()
    assert (tmp_path / "gates.png").exists()
    assert "12 rollouts" in capsys.readouterr().out


@pytest.mark.parametrize("model", MODELS)
def test_what_gates_claim_to_catch_is_a_kind_that_is_simulated(model: str) -> None:
    kinds = {grade.kind for grade in bad_grades() if model in grade.only}
    assert bench.gates_of(model).catches.keys() == kinds
    assert not kinds & {grade.kind for grade in good_grades()}


@pytest.mark.parametrize("model", MODELS)
def test_every_claim_is_put_to_the_test(model: str) -> None:
    for kind, strength in bench.gates_of(model).catches.items():
        assert any(grade.kind == kind and grade.value >= strength for grade in bad_grades())
