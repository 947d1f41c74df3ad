"""Nothing is written over but former predictions of the same file."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.batch.order import FileRefused, Layout
from pipelines.batch.place import Folder, open_place
from pipelines.batch.plan import Plan, make_plan
from pipelines.batch.summary import summarise
from tests.pipelines.batch.conftest import Bench, house_rows, write

ROWS = house_rows(20)


def test_a_persons_own_file_stays(bench: Bench) -> None:
    bench.put("a.csv", ROWS)
    theirs = write(house_rows(3), bench.output.path / "a.parquet")
    before = theirs.read_bytes()
    with pytest.raises(FileRefused, match=r"a\.parquet is there and is no batch prediction's; give another output"):
        bench.predict("a.csv")
    assert theirs.read_bytes() == before
    assert bench.files() == {"a.parquet"}


@pytest.mark.parametrize("layout", list(Layout))
def test_predictions_of_a_file_of_the_same_name_elsewhere_stay(bench: Bench, tmp_path: Path, layout: Layout) -> None:
    """Its receipt too: it has the same name whatever the layout."""
    bench.put("a.csv", ROWS)
    bench.predict("a.csv")
    before = {name: bench.output.read(name) for name in bench.files()}
    write(house_rows(5), tmp_path / "other/a.csv")
    bench.source = Folder(tmp_path / "other")
    with pytest.raises(FileRefused, match=r"holds predictions of a\.csv of file://.*/bench/in; give another output"):
        bench.predict("a.csv", layout=layout)
    assert {name: bench.output.read(name) for name in bench.files()} == before


def test_predictions_of_a_file_of_another_ending_stay_while_it_is_there(bench: Bench) -> None:
    bench.put("a.csv", ROWS)
    bench.predict("a.csv")
    bench.put("a.parquet", house_rows(5))
    with pytest.raises(FileRefused, match=r"holds predictions of a\.csv"):
        bench.predict("a.parquet")
    (bench.source.path / "a.csv").unlink()
    assert bench.predict("a.parquet")[0].rows == len(bench.made("a.parquet")) == 5


def test_what_a_killed_worker_had_published_without_a_receipt_is_made_again(bench: Bench) -> None:
    bench.put("a.csv", ROWS)
    bench.predict("a.csv", layout=Layout.CSV)
    bench.output.remove("_done/a.csv.json")
    assert bench.predict("a.csv", layout=Layout.CSV)[1] is True


def test_another_layout_takes_the_former_predictions_place(bench: Bench) -> None:
    bench.put("a.csv", ROWS)
    bench.predict("a.csv")
    bench.predict("a.csv", layout=Layout.CSV)
    assert bench.files() == {"a.csv", "_done/a.csv.json", "_claims/a.csv.json"}


@pytest.mark.parametrize("output", ["in/deep/..", "link", "link/below"])
def test_an_output_that_is_the_input_by_another_name_is_refused(tmp_path: Path, output: str) -> None:
    (tmp_path / "in/deep").mkdir(parents=True)
    (tmp_path / "in/a.csv").write_text("x")
    (tmp_path / "link").symlink_to("in")
    for source in (tmp_path / "in", tmp_path / "in/a.csv"):
        if source.suffix and output == "link/below":
            continue  # one file, and predictions in another folder
        with pytest.raises(ConfigError, match="must not lie within the input"):
            make_plan(
                source.as_uri(),
                f"{tmp_path.as_uri()}/{output}",
                shards=1,
                layout=Layout.CSV,
                started=datetime.now(UTC),
                scratch=tmp_path,
            )


def test_a_place_is_called_as_it_is_without_links(tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to("real")
    assert open_place(f"{tmp_path.as_uri()}/x/../link/rows", tmp_path) == Folder(tmp_path / "real/rows")


def test_predictions_of_rows_that_are_gone_are_named_and_stay(bench: Bench) -> None:
    for name in ("a.csv", "b.csv", "deep/c.csv"):
        bench.put(name, ROWS)
        bench.predict(name)
    (bench.source.path / "a.csv").rename(bench.source.path / "z.csv")
    (bench.source.path / "deep/c.csv").unlink()
    bench.predict("z.csv")
    planned = Plan(bench.source.uri, datetime.now(UTC).isoformat(), (("z.csv",),))  # b.csv is there and not asked for
    summary = summarise(planned, bench.source, bench.output, bench.order(), failed=False)
    assert summary.left_over == ("a.parquet", "deep/c.parquet")
    assert "left over, of rows that are no longer there: a.parquet, deep/c.parquet" in str(summary)
    assert {"a.parquet", "deep/c.parquet"} < bench.files()


def test_predictions_of_another_source_are_not_left_over(bench: Bench, tmp_path: Path) -> None:
    bench.put("a.csv", ROWS)
    bench.predict("a.csv")
    other = Folder(tmp_path / "other")
    planned = Plan(other.uri, datetime.now(UTC).isoformat(), (("b.csv",),))
    assert summarise(planned, other, bench.output, bench.order(), failed=False).left_over == ()
