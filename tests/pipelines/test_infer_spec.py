"""Features from a table that nobody prepared."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.errors import ConfigError
from pipelines.infer_spec import infer, widened
from pipelines.starter.source_table import read_source, write_table
from pipelines.starter.target import understand

N = 120


def one(values: list[Any]) -> tuple[dict[str, Any] | None, str, list[str], list[Any]]:
    """The feature of one column (repeated to N rows), or why there is none; its notes; its cleaned values."""
    repeated = (values * N)[:N]
    found = infer(pd.DataFrame({"x": repeated, "y": list(range(N))}), "y")
    return (
        found.features[0] if found.features else None,
        found.left_out.get("x", ""),
        found.notes,
        found.table["x"].tolist()[: len(values)],
    )


@pytest.mark.parametrize(
    ("values", "feature"),
    [
        (["1", "2", "11"], {"dtype": "integer", "min": 0, "max": 12}),
        (["-5", "5"], {"dtype": "integer", "min": -6, "max": 6}),
        (["1.5", "2.5", ""], {"dtype": "float", "min": 1.4, "max": 2.6, "missing": "allow"}),
        (["1", "NA", "3"], {"dtype": "integer", "min": 0, "max": 4, "missing": "allow"}),
        (["1", "?", "3"], {"dtype": "integer", "min": 0, "max": 4, "missing": "allow"}),
        (["b", "a"], {"dtype": "category", "categories": ["a", "b"]}),
        (
            ["b", "a", "N/A"],
            {"dtype": "category", "categories": ["a", "b"], "missing": "allow", "unknown": "as_missing"},
        ),
        (["None", "brick"], {"dtype": "category", "categories": ["None", "brick"]}),
        (["01234", "98765"], {"dtype": "category", "categories": ["01234", "98765"]}),
        (["True", "False"], {"dtype": "category", "categories": ["False", "True"]}),
        ([True, False], {"dtype": "category", "categories": ["False", "True"]}),
        (["2020-01-31", "2021-02-28"], {"dtype": "date", "encoding": "days", "min": "2019-01-30", "max": "2022-03-01"}),
        (["31/01/2020", "28/02/2021"], {"dtype": "date", "encoding": "days", "min": "2019-01-30", "max": "2022-03-01"}),
        (
            [dt.date(2020, 1, 31), dt.date(2020, 2, 1), None],
            {"dtype": "date", "encoding": "days", "min": "2019-01-30", "max": "2021-02-01", "missing": "allow"},
        ),
    ],
    ids=lambda value: str(value)[:30],
)
def test_column_becomes_a_feature(values: list[Any], feature: dict[str, Any]) -> None:
    assert one(values)[0] == {"name": "x", **feature}


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        (["", "NA"], "all values are missing"),
        (["7"], "constant"),
        ([f"customer {n}" for n in range(N)], f"{N} distinct values"),
        ([str(n) for n in range(1000, 1000 + N)], "it counts the rows"),
        (["", "", "", "", "a", "b"], "67% of its values are missing"),
        (["01/02/2020", "03/04/2020"], "read in several ways"),
        (["2020-01-01", "31.12.2020"], "no one format fits"),
        ([*map(str, range(30)), "12 kg"], "are not numbers ('12 kg')"),
        ([1.0, float("inf")], "infinite"),
        ([1.0, 1e39], "float32"),
        ([[1], [2]], "values of type list"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_column_of_no_use_is_left_out_with_its_reason(values: list[Any], reason: str) -> None:
    feature, why, _, _ = one(values)
    assert feature is None
    assert reason in why


@pytest.mark.parametrize("name", ["id", "customer_id", "Unnamed: 0", "", "rownames"])
def test_identifier_by_name_is_left_out(name: str) -> None:
    rng = np.random.default_rng(0)
    table = pd.DataFrame({name: rng.permutation(10**6)[:N], "y": range(N), "z": [1.5, 2.5] * (N // 2)})
    assert "identifier" in infer(table, "y").left_out[name]


def test_changed_spellings_are_said_and_written_one_way() -> None:
    _, _, notes, values = one(["1", "NA", "3"])
    assert notes == ['x: "na" is read as missing (40 rows)']
    assert values == [1, None, 3]
    _, _, notes, values = one(["31/01/2020", "28/02/2021"])
    assert notes == ["x: dates written as %d/%m/%Y became YYYY-MM-DD"]
    assert values == ["2020-01-31", "2021-02-28"]


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0.0, 1.0, (0.0, 1.1)), (-3.0, -1.0, (-3.2, -0.8)), (1e-6, 3e-6, (8e-7, 3.2e-6))]
)
def test_range_is_widened_but_keeps_its_sign(low: float, high: float, expected: tuple[float, float]) -> None:
    assert widened(low, high) == pytest.approx(expected)


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_separator_and_byte_order_mark_are_understood(tmp_path: Path, separator: str) -> None:
    path = tmp_path / "t.csv"
    path.write_bytes(b"\xef\xbb\xbf" + f"a{separator} b \n1{separator}x\n".encode())
    assert read_source(path).to_dict("list") == {"a": ["1"], "b": ["x"]}


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("t.xlsx", b"", "must be .csv or .parquet"),
        ("t.csv", b"", "no header"),
        ("t.csv", b"a,b\n", "without rows"),
        ("t.csv", b"a,a\n1,2\n", "stands twice"),
        ("t.csv", b"a,b\n\xe9,1\n", "UTF-8"),
        ("t.csv", b"a,b\n1,2\n1,2,3\n", "row 3 has 3 fields, the header 2"),
        ("t.parquet", b"nonsense", "cannot be read"),
    ],
    ids=["ending", "empty", "header-only", "duplicate", "latin1", "ragged", "parquet"],
)
def test_unreadable_file_is_refused(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(ConfigError, match=message):
        read_source(tmp_path / name)


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_copy_has_one_spelling_of_missing(tmp_path: Path, suffix: str) -> None:
    table = infer(pd.DataFrame({"x": ["1", "NA", "3"] * 40, "c": ["a", "", "b"] * 40, "y": range(N)}), "y").table
    write_table(table, tmp_path / f"t{suffix}")
    read = pd.read_csv(tmp_path / "t.csv") if suffix == ".csv" else pd.read_parquet(tmp_path / "t.parquet")
    assert read["x"].isna().sum() == read["c"].isna().sum() == 40
    assert set(read["c"].dropna()) == {"a", "b"}


def _table(target: list[Any]) -> pd.DataFrame:
    return pd.DataFrame({"x": np.linspace(0, 1, len(target)), "y": target})


@pytest.mark.parametrize(
    ("target", "task", "message"),
    [
        ([1.0, 2.0, 3.0] * 30, "regression", "got 90 rows with a target, at least 100"),
        (["a", "b"] * 60, "regression", "a regression predicts numbers"),
        (["1", "2"] * 60, "regression", "2 distinct numbers"),
        (["a"] * 120, "classification", "got 1 class"),
        ([f"c{n}" for n in range(120)], "classification", "at most 50 classes"),
        (["a"] * 115 + ["b"] * 5, "classification", "class 'b': got 5 rows"),
        (["a", "b"] * 45 + [""] * 60, "classification", "got 90 rows with a target"),
    ],
    ids=["few-rows", "text", "two-numbers", "one-class", "many-classes", "rare-class", "missing-target"],
)
def test_target_that_the_task_cannot_predict_is_refused(target: list[Any], task: str, message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        understand(_table(target), task=task, target="y")


def test_absent_target_is_refused_with_what_was_perhaps_meant() -> None:
    with pytest.raises(ConfigError, match="no such column, did you mean 'price'"):
        understand(_table(list(range(120))).rename(columns={"y": "price"}), task="regression", target="pirce")


def test_table_without_any_useful_column_is_refused() -> None:
    with pytest.raises(ConfigError, match="no column can be a feature"):
        understand(pd.DataFrame({"x": ["same"] * 120, "y": range(120)}), task="regression", target="y")


def test_rows_without_target_leave_the_copy_and_are_counted() -> None:
    found, classes = understand(_table(["a", "b"] * 60 + [""] * 3), task="classification", target="y")
    assert len(found.table) == 120
    assert classes == ["a", "b"]
    assert "y: 3 rows without a target are not in the copy" in found.notes
