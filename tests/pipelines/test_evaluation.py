"""Slices, plots and the evidence's way through its file."""

from pathlib import Path

import numpy as np
import pytest

from models.spec import load_gates, load_spec
from pipelines.errors import ConfigError
from pipelines.evidence import from_document, to_document
from pipelines.gates import decide
from pipelines.jsonfile import read_json, write_json
from pipelines.plots import write_plots
from pipelines.slices import labels_of, slice_gaps
from pipelines.table import read_table
from tests.pipelines.conftest import World
from tests.pipelines.test_gates import GOOD, _gap, _gates, _versus


def test_slice_gap_finds_the_group_that_is_served_worse(world: World) -> None:
    folder = world.source / "models" / "price"
    spec, gates = load_spec(folder), load_gates(folder).offline
    table = read_table(world.data / "price.csv", spec)
    everything = np.ones(len(table.target), dtype=bool)
    off = np.where(labels_of(table, "street") == "Pave", 40.0, 10.0)
    outputs = {"prediction": table.target.astype(float) + off}
    found = slice_gaps(table, everything, outputs, gates, rng=np.random.default_rng(0))["street"]
    assert found.gap.value == pytest.approx(30.0)
    assert found.worst == "Pave"
    few = np.arange(len(everything)) < 40  # no street has 30 rows besides one
    assert slice_gaps(table, few, outputs_of(outputs, few), gates, rng=np.random.default_rng(0))["street"].judged < 2


def outputs_of(outputs: dict[str, np.ndarray], rows: np.ndarray) -> dict[str, np.ndarray]:
    return {name: values[rows] for name, values in outputs.items()}


def test_numbers_are_cut_into_quarters_and_missing_is_a_group(world: World) -> None:
    table = read_table(world.data / "price.csv", load_spec(world.source / "models" / "price"))
    assert set(labels_of(table, "area")) == {"quarter 1", "quarter 2", "quarter 3", "quarter 4"}
    assert set(labels_of(table, "rooms")) == {str(number) for number in range(1, 9)}
    assert set(labels_of(table, "street")) == {"Grvl", "Pave", "(missing)"}


def test_evidence_decides_the_same_after_a_file(tmp_path: Path) -> None:
    from dataclasses import replace

    evidence = replace(GOOD, champion=_versus(0.5, -1, float("nan")), slices=_gap(10, 5), max_abs=float("nan"))
    write_json(tmp_path / "metrics.json", to_document(evidence, decide(evidence, _gates())))
    again = from_document(read_json(tmp_path / "metrics.json"), bundle_bytes=900)
    first, second = decide(evidence, _gates()), decide(again, _gates())
    assert [(each.gate, each.verdict) for each in first.results] == [
        (each.gate, each.verdict) for each in second.results
    ]


@pytest.mark.parametrize("text", ["{}", "[1]", "nonsense"], ids=["lacks parts", "no object", "no JSON"])
def test_crooked_metrics_file_is_refused(text: str, tmp_path: Path) -> None:
    (tmp_path / "metrics.json").write_text(text)
    with pytest.raises(ConfigError):
        from_document(read_json(tmp_path / "metrics.json"), bundle_bytes=1)


def test_classification_plots_are_drawn(world: World, tmp_path: Path) -> None:
    spec = load_spec(world.source / "models" / "kind")
    said = np.random.default_rng(0).dirichlet([1, 1], 50).astype(np.float32)
    metrics = {name: {"value": 0.8, "low": 0.7, "high": 0.9} for name in ("candidate", "champion")}
    target = np.arange(50) % 2
    names = write_plots(tmp_path, spec, target, {"probabilities": said}, metric="accuracy", metrics=metrics)
    assert names == ["summary.png", "reliability.png"]
    assert all((tmp_path / name).read_bytes().startswith(b"\x89PNG") for name in names)
