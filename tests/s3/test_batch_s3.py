"""Batch prediction from a bucket into a bucket, with the rights that trainings' pods have."""

import json
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from models.bundle import Digest, digest
from models.object_store import ObjectMissing, StoreError
from models.store import put, read_bytes, write_bytes
from pipelines.batch import place
from pipelines.batch.order import Layout, Order, Refusal
from pipelines.batch.place import Bucket
from pipelines.batch.plan import make_plan
from pipelines.cluster.store_rights import Role
from pipelines.steps import batch_predict
from tests.pipelines.batch.conftest import bundle, house_rows, spec
from tests.s3.conftest import Acting

__all__ = ["bundle", "spec"]  # fixtures

pytestmark = pytest.mark.slow

ROWS, PREDICTIONS = "s3://mainline-batch/rows", "s3://mainline-batch/predictions"
BUNDLE = "s3://mainline-artifacts/mlflow/7/house/bundles/1"


@pytest.fixture
def order(acting: Acting, bundle: Path) -> Order:
    """Of a bundle in the store; this process has a training's rights."""
    acting.as_(Role.TRAINING)
    put(bundle, BUNDLE)
    return Order("house", "1", BUNDLE, Digest(digest(bundle)), keep=("id",), refusal=Refusal.SET_ASIDE)


def test_files_go_from_a_bucket_to_a_bucket_once(
    order: Order, acting: Acting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(place, "_PART_BYTES", 5000)  # so that a file comes in several requests
    acting.as_(Role.PERSON)
    for name, rows in {"a.csv": 300, "deep er/b.csv": 200}.items():
        write_bytes(
            f"{ROWS}/{name}", house_rows(rows).assign(rooms=[99] + [3] * (rows - 1)).to_csv(index=False).encode()
        )
    acting.as_(Role.TRAINING)
    batch_predict.predict_all(ROWS, PREDICTIONS, order, tmp_path)
    first = capsys.readouterr().out
    assert "2 files: 2 predicted, 0 done before, 500 rows, 2 refused" in first
    output = Bucket(PREDICTIONS, tmp_path)
    made = {found.name for found in output.files()}
    assert made == {
        "a.parquet", "deep er/b.parquet", "_summary.json", "_done/a.csv.json", "_done/deep er/b.csv.json",
        "_refused/a.csv.refused.jsonl", "_refused/deep er/b.csv.refused.jsonl",
        "_claims/a.parquet.json", "_claims/deep er/b.parquet.json",
    }  # fmt: skip
    write_bytes(f"{ROWS}/a.csv", house_rows(7).to_csv(index=False).encode())
    batch_predict.predict_all(ROWS, PREDICTIONS, order, tmp_path)
    assert "2 files: 1 predicted, 1 done before, 207 rows, 1 refused" in capsys.readouterr().out
    assert json.loads(output.read("_done/a.csv.json") or b"{}")["rows"] == 7
    batch_predict.predict_all(f"{ROWS}/a.csv", "s3://mainline-batch/one", order, tmp_path)
    assert "1 files: 1 predicted" in capsys.readouterr().out
    batch_predict.predict_all(f"{ROWS}/a.csv", "s3://mainline-batch/one", replace(order, layout=Layout.CSV), tmp_path)
    made = {found.name for found in Bucket("s3://mainline-batch/one", tmp_path).files()}
    assert made == {"a.csv", "_summary.json", "_done/a.csv.json", "_claims/a.csv.json"}
    Bucket(ROWS, tmp_path).remove("no-such.csv")
    for name in ("y.csv", "z.csv"):
        write_bytes(f"s3://mainline-batch/renamed/{name}", house_rows(7).to_csv(index=False).encode())
    batch_predict.predict_all("s3://mainline-batch/renamed", "s3://mainline-batch/two", order, tmp_path)
    Bucket("s3://mainline-batch/renamed", tmp_path).remove("y.csv")
    capsys.readouterr()
    batch_predict.predict_all("s3://mainline-batch/renamed", "s3://mainline-batch/two", order, tmp_path)
    assert "left over, of rows that are no longer there: y.parquet" in capsys.readouterr().out
    assert list(tmp_path.glob("tmp*")) == [], "what was fetched is gone"


def test_an_object_that_changes_while_it_is_read_is_told(
    order: Order, acting: Acting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting.as_(Role.TRAINING)
    monkeypatch.setattr(place, "_PART_BYTES", 5)
    write_bytes(f"{ROWS}/c.csv", b"before it changes")
    parts = Bucket(ROWS, tmp_path)._parts("c.csv")
    assert bytes(next(parts)) == b"befor"
    write_bytes(f"{ROWS}/c.csv", b"after it changed.")
    with pytest.raises(StoreError, match=r"c\.csv: cannot be read"):
        list(parts)


def test_serving_may_neither_read_rows_nor_write_predictions(order: Order, acting: Acting, tmp_path: Path) -> None:
    write_bytes(f"{ROWS}/a.csv", b"x")
    acting.as_(Role.SERVING)
    with pytest.raises(StoreError, match="refused") as refused:
        read_bytes(f"{ROWS}/a.csv")
    assert not isinstance(refused.value, ObjectMissing)
    with pytest.raises(StoreError, match="refused"):
        make_plan(ROWS, PREDICTIONS, shards=1, layout=Layout.CSV, started=datetime.now(UTC), scratch=tmp_path)
