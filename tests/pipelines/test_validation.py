"""Every way in which a table is refused before anything is trained on it."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.spec import load_gates, load_spec
from models.verdict import Verdict
from pipelines.table import read_raw
from pipelines.validation import Report, validate
from tests.pipelines.conftest import table, write_model

Change = Callable[[pd.DataFrame], pd.DataFrame]


def _validate(frame: pd.DataFrame, root: Path, model: str = "price") -> Report:
    folder = write_model(root, model)
    frame.to_csv(root / "table.csv", index=False)
    spec = load_spec(folder)
    return validate(read_raw(root / "table.csv", spec), spec, load_gates(folder).offline.validation)


def _cell(column: str, value: object) -> Change:
    def change(frame: pd.DataFrame) -> pd.DataFrame:
        values = frame[column].tolist()
        values[5] = value
        return frame.assign(**{column: pd.Series(values, dtype=object, index=frame.index)})

    return change


def _shared(frame: pd.DataFrame) -> pd.DataFrame:
    again = frame.head(100).assign(id=lambda rows: rows["id"] + 10_000)
    return pd.concat([frame, again])


def _conflicting(frame: pd.DataFrame) -> pd.DataFrame:
    again = frame.head(100).assign(cost=lambda rows: rows["cost"] + 500)  # same id, so on the same side
    return pd.concat([frame, again])


def test_sound_tables_pass(tmp_path: Path) -> None:
    assert _validate(table(), tmp_path).problems == ()
    assert _validate(table(), tmp_path, "kind").problems == ()


@pytest.mark.parametrize(
    ("change", "check", "words"),
    [
        pytest.param(lambda f: f.rename(columns={"area": "aera"}), "columns", "did you mean aera", id="wrong column"),
        pytest.param(lambda f: f.drop(columns="cost"), "columns", "cost: got no such column", id="missing target"),
        pytest.param(lambda f: f.drop(columns="id"), "columns", "id: got no such column", id="missing key"),
        pytest.param(_cell("area", "wide"), "values", "area: got 'wide'", id="wrong dtype"),
        pytest.param(_cell("area", 250.0), "values", "area: got 250.0", id="out of range"),
        pytest.param(_cell("rooms", 2.5), "values", "rooms: got 2.5", id="not an integer"),
        pytest.param(_cell("rooms", None), "values", "rooms: got None", id="missing where refused"),
        pytest.param(_cell("street", "Mud"), "values", "street: got 'Mud'", id="unknown category"),
        pytest.param(_cell("cost", "dear"), "target", "'dear'", id="target is no number"),
        pytest.param(_cell("cost", None), "target", "must be a finite number", id="target missing"),
        pytest.param(lambda f: f.assign(cost=7.0), "target", "one value", id="constant target"),
        pytest.param(
            lambda f: f.assign(area=f["area"].where(f.index % 2 == 0)), "missing", "area: got 0.500", id="share"
        ),
        pytest.param(lambda f: f.head(90), "rows", "at least 100", id="too few rows"),
        pytest.param(lambda f: f.head(0), "rows", "0 rows", id="no rows"),
        pytest.param(lambda f: f.assign(id=1), "rows", "side: got no row", id="all keys equal"),
        pytest.param(_shared, "shared_rows", "features of a training row", id="equal features on both sides"),
        pytest.param(_conflicting, "conflicting_rows", "another target", id="equal features, other targets"),
        pytest.param(lambda f: f.assign(area=f["cost"] / 6.0), "leakage", "area", id="target leaks"),
    ],
)
def test_refused(change: Change, check: str, words: str, tmp_path: Path) -> None:
    report = _validate(change(table()), tmp_path)
    found = [finding.line() for finding in report.problems if finding.check == check]
    assert report.verdict is Verdict.FAIL
    assert any(words in line for line in found), report.problems
    assert check in report.reason()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        pytest.param(lambda f: f[f["label"] == "low"], "high: got no training row", id="a class vanished"),
        pytest.param(_cell("label", "middling"), "'middling'", id="unknown class"),
        pytest.param(lambda f: f.assign(area=np.where(f["label"] == "low", 20.5, 30.5)), "leakage: area", id="leak"),
    ],
)
def test_classification_refused(change: Change, words: str, tmp_path: Path) -> None:
    assert words in _validate(change(table()), tmp_path, "kind").reason()


def test_a_few_repeats_warn_and_pass(tmp_path: Path) -> None:
    frame = table(2000)
    again = frame.head(4).assign(id=lambda rows: rows["id"] + 10_000, cost=lambda rows: rows["cost"] + 500)
    report = _validate(pd.concat([frame, again]), tmp_path)
    assert report.problems == ()
    assert {warning.check for warning in report.warnings} == {"shared_rows", "conflicting_rows"}
