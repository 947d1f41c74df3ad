"""A file is predicted once: what it then holds, what is skipped, what is done again, and what is refused."""

import json
import threading
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet
import pytest

from models.bundle import BundleError, open_bundle
from models.errors import ConfigError
from models.predictor import Predictor
from models.rows import encode
from pipelines.batch.order import FileRefused, Layout, Order, Refusal
from pipelines.batch.place import Folder
from pipelines.batch.predict import load, predict_file, predict_files
from tests.pipelines.batch.conftest import Bench, house_rows, write

ROWS = house_rows(1000)


def served(bundle: Path, table: pd.DataFrame) -> pd.DataFrame:
    """What the server answers for the same rows."""
    predictor = Predictor(open_bundle(bundle, None))
    names = [feature.name for feature in predictor.bundle.features]
    rows = [
        {name: None if pd.isna(row[name]) else row[name] for name in names} for row in table.to_dict(orient="records")
    ]
    return pd.DataFrame(predictor.answers(predictor.predict(encode(rows, predictor.bundle.features).matrix)))


@pytest.mark.parametrize("layout", list(Layout))
@pytest.mark.parametrize("ending", ["parquet", "csv"])
def test_predictions_are_the_servers(bench: Bench, ending: str, layout: Layout) -> None:
    bench.put(f"a.{ending}", ROWS)
    receipt, made = bench.predict(f"a.{ending}", layout=layout)
    found = bench.made(f"a.{layout}")
    assert (made, receipt.rows, receipt.refused_rows, receipt.refused) == (True, 1000, 0, "")
    assert list(found) == ["row", "id", "prediction", "lower", "upper"]
    assert found["row"].tolist() == list(range(1000))
    assert found["id"].tolist() == ROWS["id"].tolist()
    expected = served(bench.bundle, ROWS)
    np.testing.assert_allclose(found[list(expected)].to_numpy(), expected.to_numpy(), rtol=1e-6)


def test_a_class_comes_with_every_probability(bench: Bench, flower_bundle: Path) -> None:
    bench.bundle = flower_bundle
    table = pd.DataFrame({"x": [5.0, 0.0, 0.0], "y": [0.0, 5.0, 0.0], "z": [0.0, 0.0, 5.0]})
    bench.put("a.csv", table)
    bench.predict("a.csv", model="flower", keep=())
    found = bench.made("a.parquet")
    assert list(found) == ["row", "prediction", "probability:a", "probability:b", "probability:c"]
    assert found["prediction"].tolist() == ["a", "b", "c"]
    assert np.allclose(found.iloc[:, 2:].sum(axis=1), 1)


def test_parquet_says_where_it_comes_from(bench: Bench) -> None:
    bench.put("deep/a.parquet", ROWS)
    receipt, _ = bench.predict("deep/a.parquet")
    about = pyarrow.parquet.read_metadata(bench.output.path / "deep/a.parquet").metadata
    told = {name.decode(): text.decode() for name, text in about.items() if name.startswith(b"mainline.")}
    assert told == {
        "mainline.model": "house",
        "mainline.version": "3",
        "mainline.digest": bench.order().digest,
        "mainline.input": "deep/a.parquet",
        "mainline.input_sha256": bench.source.sha256("deep/a.parquet"),
        "mainline.rows": "1000",
        "mainline.refused_rows": "0",
    }
    assert receipt.output_sha256 == bench.output.sha256("deep/a.parquet")


def test_refused_rows_are_set_aside_with_reason_and_remedy(bench: Bench) -> None:
    table = ROWS.astype({"rooms": "float"})
    table.loc[3, "rooms"], table.loc[700, "rooms"] = 99, None
    table.loc[700, "street"] = "Pave"
    bench.put("a.parquet", table)
    receipt, _ = bench.predict("a.parquet")
    assert (receipt.rows, receipt.refused_rows, receipt.refused) == (1000, 2, "_refused/a.parquet.refused.jsonl")
    lines = (bench.output.path / receipt.refused).read_text().splitlines()
    first, second = map(json.loads, lines)
    assert first == {
        "row": 3, "feature": "rooms", "value": 99, "rule": "must be within [1.0, 20.0]",
        "remedy": "check the value and its unit", "kept": {"id": "00003"},
    }  # fmt: skip
    assert (second["row"], second["rule"]) == (700, "null is not allowed")
    found = bench.made("a.parquet")
    assert set(range(1000)) - set(found["row"]) == {3, 700}
    good = ROWS.drop(index=[3, 700])
    assert found["id"].tolist() == good["id"].tolist()
    np.testing.assert_allclose(found["prediction"], served(bench.bundle, good)["prediction"], rtol=1e-6)


def test_one_word_among_a_csvs_numbers_refuses_its_row_alone(bench: Bench) -> None:
    table = ROWS.astype({"area": object})
    table.loc[5, "area"] = "n/a"
    bench.put("a.csv", table)
    receipt, _ = bench.predict("a.csv")
    (line,) = (bench.output.path / receipt.refused).read_text().splitlines()
    assert (json.loads(line)["row"], json.loads(line)["value"]) == (5, "n/a")
    assert len(bench.made("a.parquet")) == 999


def test_a_file_with_refused_rows_is_left_out_where_that_was_asked_for(bench: Bench) -> None:
    bench.put("a.parquet", ROWS.assign(rooms=99))
    with pytest.raises(
        FileRefused, match=r"(?s)a.parquet: rows are refused.*row 0: rooms: must be within \[1.0, 20.0\]"
    ):
        bench.predict("a.parquet", refusal=Refusal.FAIL)
    assert bench.files() == set()


def test_a_file_whose_rows_were_set_aside_is_not_done_where_that_fails_it(bench: Bench) -> None:
    bench.put("a.parquet", ROWS.assign(rooms=[99] + [3] * 999))
    bench.predict("a.parquet")
    assert bench.predict("a.parquet")[1] is False
    with pytest.raises(FileRefused):
        bench.predict("a.parquet", refusal=Refusal.FAIL)


def test_row_without_finite_answer_is_refused(bench: Bench) -> None:
    bench.put("a.parquet", ROWS.assign(area=[3e38] * 1000))
    receipt, _ = bench.predict("a.parquet")
    first = json.loads((bench.output.path / receipt.refused).read_text().splitlines()[0])
    assert (receipt.refused_rows, first["feature"], first["rule"]) == (1000, "prediction", "an answer is finite")


def test_what_is_done_is_skipped_and_the_same_bytes_come_again(bench: Bench) -> None:
    bench.put("a.csv", ROWS)
    first, _ = bench.predict("a.csv")
    assert bench.predict("a.csv") == (first, False)
    (bench.output.path / "_done/a.csv.json").unlink()
    again, made = bench.predict("a.csv")
    assert (made, again.output_sha256) == (True, first.output_sha256)


def test_a_changed_input_is_done_again(bench: Bench) -> None:
    bench.put("a.csv", ROWS)
    bench.predict("a.csv")
    bench.put("a.csv", ROWS.head(7))
    receipt, made = bench.predict("a.csv")
    assert (made, receipt.rows, len(bench.made("a.parquet"))) == (True, 7, 7)


@pytest.mark.parametrize("changes", [{"keep": ()}, {"layout": Layout.CSV}], ids=["keep", "layout"])
def test_another_order_is_done_again(bench: Bench, changes: dict[str, object]) -> None:
    bench.put("a.csv", ROWS)
    bench.predict("a.csv")
    assert bench.predict("a.csv", **changes)[1] is True


@pytest.mark.parametrize("name", ["a.parquet", "_refused/a.csv.refused.jsonl", "_done/a.csv.json"])
@pytest.mark.parametrize("harm", ["gone", "cut", "changed"])
def test_a_harmed_output_is_done_again(bench: Bench, name: str, harm: str) -> None:
    bench.put("a.csv", ROWS.assign(rooms=[99] + [3] * 999))
    first, _ = bench.predict("a.csv")
    path = bench.output.path / name
    data = path.read_bytes()
    path.unlink() if harm == "gone" else path.write_bytes(data[:-9] if harm == "cut" else b"x" + data[1:])
    again, made = bench.predict("a.csv")
    assert (made, again.output_sha256) == (True, first.output_sha256)
    assert (bench.output.path / "a.parquet").stat().st_size == first.output_bytes


def test_rows_that_were_mended_leave_an_empty_side_file(bench: Bench) -> None:
    bench.put("a.csv", ROWS.assign(rooms=99))
    bench.predict("a.csv")
    bench.put("a.csv", ROWS)
    receipt, _ = bench.predict("a.csv")
    assert receipt.refused == ""
    assert (bench.output.path / "_refused/a.csv.refused.jsonl").read_bytes() == b""


def test_two_workers_of_one_machine_make_a_file_once(bench: Bench) -> None:
    bench.put("a.csv", house_rows(3000))
    order = bench.order()
    predictor = load(order, bench.scratch)
    made: list[bool] = []

    def work() -> None:
        made.append(predict_file(bench.source, "a.csv", bench.output, order=order, predictor=predictor)[1])

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert sorted(made) == [False, False, False, True]
    assert bench.files() == {"a.parquet", "_done/a.csv.json", "_claims/a.parquet.json"}


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("id,area,rooms,street\n1,2,3,Pave\n", "sold: the column is missing, add the column"),
        ("id,area,room,street,sold\n1,2,3,Pave,2008-01-01\n", 'rooms: the column is missing, did you mean "room"'),
        ("id,area,area,rooms,street,sold\n1,2,2,3,Pave,2008-01-01\n", "area: the column stands twice"),
        ("area,rooms,street,sold\n2,3,Pave,2008-01-01\n", "keep: column 'id' is not there; it has area, rooms"),
        ("id,area,rooms,street,sold\n1,2,3\n", r"cannot be read .*Expected 5 columns, got 3\);"),
        ("id,area,rooms,street,sold\nname,2,3,Pave,x,y\n", r"cannot be read .*Expected 5 columns, got 6\);"),
        ("id,area,rooms,street,sold\n1,2,3,\xff,2008-01-01\n", "cannot be read .*UTF8"),
        ("", "cannot be read .*Empty CSV"),
    ],
    ids=["missing", "misspelt", "twice", "keep", "short-line", "long-line", "not-utf8", "empty"],
)
def test_a_file_that_cannot_be_read_as_rows_is_refused(bench: Bench, content: str, said: str) -> None:
    (bench.source.path / "a.csv").write_bytes(content.encode("latin-1"))
    with pytest.raises(FileRefused, match=f"a.csv: {said}"):
        bench.predict("a.csv")
    assert bench.files() == set()


def test_one_refused_file_does_not_keep_the_others(bench: Bench) -> None:
    bench.put("a.csv", ROWS.drop(columns="sold"))
    bench.put("b.csv", ROWS)
    order, said = bench.order(), list[str]()
    predictor = load(order, bench.scratch)
    with pytest.raises(FileRefused, match=r"a\.csv: sold"):
        predict_files(bench.source, ["a.csv", "b.csv"], bench.output, order=order, predictor=predictor, say=said.append)
    assert "b.parquet" in bench.files()
    assert said[0].startswith("1 of 2: a.csv: refused")
    assert said[1].startswith("2 of 2: b.csv: 1,000 rows")


def not_utf8(values: int) -> pa.Array:
    offsets, data = pa.array(range(values + 1), pa.int32()).buffers()[1], pa.py_buffer(b"\xff" * values)
    return pa.StringArray.from_buffers(values, offsets, data)


@pytest.mark.parametrize("bad", ["text", "kept text", "bytes", "gone", "unreadable"])
def test_whatever_is_wrong_with_a_file_is_that_files_refusal(
    bench: Bench, bad: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows, columns = ROWS.head(10), pa.Table.from_pandas(ROWS.head(10), preserve_index=False)
    wrong = {
        "text": ("street", not_utf8(10)),
        "kept text": ("id", not_utf8(10)),
        "bytes": ("id", pa.array([b"\xff"] * 10)),
    }
    if bad in wrong:
        name, values = wrong[bad]
        columns = columns.set_column(columns.column_names.index(name), name, values)
    pyarrow.parquet.write_table(columns, bench.source.path / "a.parquet")
    bench.put("b.parquet", rows)
    if bad == "gone":
        (bench.source.path / "a.parquet").unlink()
        (bench.source.path / "a.parquet").symlink_to("nowhere")
    if bad == "unreadable":  # in words, since root may read everything
        opened = Path.open

        def refuse(path: Path, *args: str, **options: str) -> object:
            if path == bench.source.path / "a.parquet":
                raise PermissionError(13, "Permission denied", str(path))
            return opened(path, *args, **options)  # type: ignore[call-overload]

        monkeypatch.setattr(Path, "open", refuse)
    order = bench.order(layout=Layout.CSV)
    predictor = load(order, bench.scratch)
    names, said = ["a.parquet", "b.parquet"], list[str]()
    with pytest.raises(FileRefused, match=r"a\.parquet: cannot be"):
        predict_files(bench.source, names, bench.output, order=order, predictor=predictor, say=said.append)
    assert bench.files() == {"b.csv", "_done/b.parquet.json", "_claims/b.csv.json"}


def test_a_name_of_the_answer_cannot_be_kept(bench: Bench) -> None:
    bench.put("a.csv", ROWS.assign(prediction=1))
    with pytest.raises(FileRefused, match="'prediction' is a column of the answer; rename it"):
        bench.predict("a.csv", keep=("*",))


def test_every_column_can_be_kept(bench: Bench) -> None:
    bench.put("a.parquet", ROWS.assign(more=pd.Categorical(["x", "y"] * 500)))
    bench.predict("a.parquet", keep=("*",))
    found = bench.made("a.parquet")
    pd.testing.assert_frame_equal(found[list(ROWS)], ROWS, check_dtype=False)
    assert found["more"].tolist() == ["x", "y"] * 500


def test_a_file_without_rows_gives_one_without_predictions(bench: Bench) -> None:
    bench.put("a.csv", ROWS.head(0))
    assert bench.predict("a.csv")[0].rows == 0
    assert list(bench.made("a.parquet")) == ["row", "id", "prediction", "lower", "upper"]


@pytest.mark.parametrize(
    ("changes", "error"), [({"digest": "sha256:" + "0" * 64}, BundleError), ({"model": "flat"}, ConfigError)]
)
def test_another_bundle_predicts_nothing(bench: Bench, changes: dict[str, str], error: type[Exception]) -> None:
    known = bench.order()
    order = Order(**{**vars(known), **changes})
    with pytest.raises(error):
        load(order, bench.scratch)


def test_sensitive_values_are_not_written_down(bench: Bench, tmp_path: Path) -> None:
    from contextlib import ExitStack

    import pyarrow as pa

    from models.feature import Feature
    from models.findings import RowProblem
    from pipelines.batch.refused import RefusedRows

    feature = Feature(name="income", dtype="float", sensitive=True)
    with ExitStack() as published:
        side = RefusedRows(Folder(tmp_path), "a.csv", published, features=(feature,), keep=())
        side.add([RowProblem(0, "income", 1e9, "rule", "remedy")], pa.record_batch({"income": [1e9]}), first=0)
        side.end()
    assert json.loads((tmp_path / "_refused/a.csv.refused.jsonl").read_text())["value"] == "(sensitive)"


def test_dates_and_categories_are_read_from_parquets_own_types(bench: Bench) -> None:
    typed = ROWS.assign(sold=pd.to_datetime(ROWS["sold"]).dt.date, street=ROWS["street"].astype("category"))
    write(typed, bench.source.path / "typed.parquet")
    bench.put("plain.csv", ROWS)
    bench.predict("typed.parquet")
    bench.predict("plain.csv")
    pd.testing.assert_frame_equal(bench.made("typed.parquet"), bench.made("plain.parquet"))
