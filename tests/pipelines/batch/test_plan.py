"""Which files are taken, how they are shared out, and what cannot be planned; then what it came to."""

import json
import os
import time
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.batch.order import Layout, Refusal
from pipelines.batch.plan import Plan, make_plan
from pipelines.batch.summary import Incomplete, refuse_missing, summarise
from tests.pipelines.batch.conftest import Bench, house_rows

NOW = datetime(2024, 6, 7, 8, tzinfo=UTC)


def plan(source: Path, output: Path, *, shards: int = 2, layout: Layout = Layout.PARQUET) -> Plan:
    return make_plan(
        source.as_uri(), output.as_uri(), shards=shards, layout=layout, started=NOW, scratch=output / "scratch"
    )


def test_tables_of_all_folders_are_taken_and_hidden_ones_passed_over(tmp_path: Path) -> None:
    names = ["a.csv", "deep/er/b.parquet", "notes.txt", ".hidden.csv", "_done/c.csv", "deep/_x.csv", "d.CSV"]
    for name in names:
        path = tmp_path / "in" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    assert plan(tmp_path / "in", tmp_path / "out").names == ["a.csv", "deep/er/b.parquet"]


def test_workers_get_about_the_same_number_of_bytes(tmp_path: Path) -> None:
    sizes = {"a.csv": 100, "b.csv": 60, "c.csv": 50, "d.csv": 1}
    (tmp_path / "in").mkdir()
    for name, size in sizes.items():
        (tmp_path / "in" / name).write_bytes(b"x" * size)
    made = plan(tmp_path / "in", tmp_path / "out")
    assert made.shards == (("a.csv", "d.csv"), ("b.csv", "c.csv"))
    assert len(plan(tmp_path / "in", tmp_path / "out", shards=99).shards) == 4


def test_one_file_is_an_input_too(tmp_path: Path) -> None:
    for name in ("a.csv", "b.csv"):
        (tmp_path / name).write_text("x")
    made = plan(tmp_path / "a.csv", tmp_path / "out")
    assert (made.source, made.names) == (tmp_path.as_uri(), ["a.csv"])
    with pytest.raises(ConfigError, match="must not lie within the input"):
        plan(tmp_path / "a.csv", tmp_path, layout=Layout.CSV)


def test_a_folder_may_be_called_like_a_file(tmp_path: Path) -> None:
    (tmp_path / "rows.parquet").mkdir()
    (tmp_path / "rows.parquet/part-0.parquet").write_text("x")
    assert plan(tmp_path / "rows.parquet", tmp_path / "out").names == ["part-0.parquet"]


@pytest.mark.parametrize(
    ("names", "output", "said"),
    [
        ([], "out", "holds no .parquet or .csv file"),
        (["a.csv", "a.parquet"], "out", "a.csv and a.parquet would both become a.parquet; rename one"),
        (["a.csv"], "in/out", "must not lie within the input"),
        (["a.csv"], "in", "must not lie within the input"),
    ],
    ids=["empty", "collision", "below", "same"],
)
def test_what_cannot_be_planned_is_told(tmp_path: Path, names: list[str], output: str, said: str) -> None:
    (tmp_path / "in").mkdir()
    for name in names:
        (tmp_path / "in" / name).write_text("x")
    with pytest.raises(ConfigError, match=said):
        plan(tmp_path / "in", tmp_path / output)


def test_what_is_no_table_is_not_looked_at(tmp_path: Path) -> None:
    (tmp_path / "in").mkdir()
    (tmp_path / "in/a.csv").write_text("x")
    for name in ("gone.txt", "gone.csv"):
        (tmp_path / "in" / name).symlink_to("nowhere")
    (tmp_path / "in/.hidden").symlink_to(tmp_path)
    assert plan(tmp_path / "in", tmp_path / "out").names == ["a.csv", "gone.csv"]


def test_a_folder_that_cannot_be_looked_into_is_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "in/secret").mkdir(parents=True)
    (tmp_path / "in/a.csv").write_text("x")
    (tmp_path / "more").mkdir()
    (tmp_path / "in/link").symlink_to(tmp_path / "more")
    listing = os.scandir

    def scandir(path: str) -> object:  # root, which runs tests in containers, may list everything
        if str(path).endswith("secret"):
            raise PermissionError(13, "Permission denied", str(path))
        return listing(path)

    monkeypatch.setattr(os, "scandir", scandir)
    with pytest.raises(ConfigError) as refused:
        plan(tmp_path / "in", tmp_path / "out")
    assert "in/link is a link to a folder, which is not followed" in str(refused.value)
    assert "in/secret cannot be listed (Permission denied)" in str(refused.value)
    assert plan(tmp_path / "in/a.csv", tmp_path / "out").names == ["a.csv"]


@pytest.mark.parametrize("name", ["my visits.csv", "50%.csv", "a%20b.csv", "ä.csv"])
def test_one_file_is_found_by_its_encoded_uri(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text("x")
    assert plan(tmp_path / name, tmp_path / "out").names == [name]


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    made = Plan("file:///in", "2024-06-07T08:00:00+00:00", (("a.csv",), ("b.csv", "c.csv")))
    made.write(tmp_path)
    assert Plan.read(tmp_path) == made
    with pytest.raises(ConfigError, match="run batch_plan first"):
        Plan.read(tmp_path / "nowhere")


def test_a_summary_counts_what_is_there_and_names_what_is_missing(bench: Bench) -> None:
    bench.put("a.csv", house_rows(10).assign(rooms=[99] + [3] * 9))
    bench.put("b.csv", house_rows(20))
    bench.put("c.csv", house_rows(5))
    bench.predict("a.csv")
    time.sleep(0.002)  # times are told to the millisecond, and a file of the run's first one is the run's
    began = datetime.now(UTC).isoformat(timespec="milliseconds")
    bench.predict("b.csv")
    planned = Plan(bench.source.uri, began, (("a.csv", "b.csv", "c.csv"),))
    summary = summarise(planned, bench.source, bench.output, bench.order(), failed=False)
    counted = (summary.files, summary.predicted, summary.skipped, summary.missing, summary.rows, summary.refused_rows)
    assert counted == (3, 1, 1, ("c.csv",), 30, 1)
    assert json.loads((bench.output.path / "_summary.json").read_text())["missing"] == ["c.csv"]
    with pytest.raises(Incomplete, match=r"no predictions of c\.csv"):
        refuse_missing(summary.missing, failed=True)
    (bench.output.path / "b.parquet").write_bytes(b"")
    strict = bench.order(refusal=Refusal.FAIL)
    planned = Plan(bench.source.uri, began, (("a.csv", "b.csv"),))
    assert summarise(planned, bench.source, bench.output, strict, failed=False).missing == ("a.csv", "b.csv")


def test_predictions_of_former_rows_do_not_count_where_a_worker_failed(bench: Bench) -> None:
    for name in ("a.csv", "b.csv", "c.csv"):
        bench.put(name, house_rows(10))
        bench.predict(name)
    bench.put("b.csv", house_rows(9))
    (bench.source.path / "c.csv").unlink()
    planned = Plan(bench.source.uri, datetime.now(UTC).isoformat(), (("a.csv", "b.csv", "c.csv"),))
    summary = summarise(planned, bench.source, bench.output, bench.order(), failed=True)
    assert (summary.skipped, summary.missing, summary.rows) == (1, ("b.csv", "c.csv"), 10)


def test_a_worker_that_failed_is_told_where_every_file_is_done() -> None:
    refuse_missing((), failed=False)
    with pytest.raises(Incomplete, match="every file is done, yet a worker failed"):
        refuse_missing((), failed=True)


def test_two_runs_sum_up_at_once(bench: Bench) -> None:
    planned, order = Plan(bench.source.uri, NOW.isoformat(), ()), bench.order()

    def sum_up(_: int) -> int:
        return summarise(planned, bench.source, bench.output, order, failed=False).files

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(sum_up, range(200))) == [0] * 200
    assert bench.files() == {"_summary.json"}
