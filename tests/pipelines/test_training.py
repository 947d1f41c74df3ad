"""From a table to a bundle that answers its own golden rows, the same bytes each time."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from models.bundle import open_bundle
from models.errors import ConfigError
from pipelines.conformal import conformal_constant
from pipelines.errors import TrainingFailed
from pipelines.jsonfile import read_json
from pipelines.lineage import Origin
from pipelines.table import read_table
from pipelines.training import split, train
from tests.pipelines.conftest import World, write_model

Make = Callable[..., Origin]


def _train(world: World, origin: Origin, out: Path) -> str:
    places = {"out_bundle": out / "bundle", "out_training": out / "training"}
    return train(world.source, world.data, origin, run_id="r1", checkpoints=(out / "ck").as_uri(), **places)


def test_same_inputs_give_the_same_digest_and_another_run_another(world: World, origin: Make, tmp_path: Path) -> None:
    first = _train(world, origin(), tmp_path / "1")
    assert first == _train(world, origin(), tmp_path / "2")
    assert first != _train(world, replace(origin(), commit="b" * 40), tmp_path / "3")


def test_bundle_holds_lineage_and_rows_with_missing_values(world: World, origin: Make, tmp_path: Path) -> None:
    digest = _train(world, origin("kind", dirty=True), tmp_path)
    bundle = open_bundle(tmp_path / "bundle", None)
    lineage = bundle.manifest.lineage
    assert (bundle.digest, lineage.commit, lineage.dirty, lineage.run_id) == (digest, "a" * 40, True, "r1")
    assert len(bundle.golden.rows) >= 16
    for name in ("area", "street"):
        assert any(row[name] is None for row in bundle.golden.rows)
    assert len(bundle.background) == 100
    columns = ["area", "rooms", "street", "prediction", "probability:low", "probability:high"]
    reference, held_out = (
        pd.read_parquet(tmp_path / "bundle" / f"{name}.parquet") for name in ("reference", "held_out")
    )
    assert list(reference.columns) == list(held_out.columns) == columns
    document = read_json(tmp_path / "training" / "training.json")
    assert document["parity"]["max_abs"] < 1e-4
    assert document["parity"]["n_rows"] == document["rows"]["held_out"] == len(held_out)
    assert len(reference.merge(held_out, on=columns)) == 0


def test_calibration_rows_come_out_of_the_training_rows(world: World) -> None:
    from models.spec import load_spec

    rows = split(read_table(world.data / "price.csv", load_spec(world.source / "models" / "price")))
    assert (rows.fit.astype(int) + rows.calibration + rows.held_out == 1).all()
    assert 50 < rows.calibration.sum() < 100


@pytest.mark.parametrize(
    ("code", "words"),
    [
        ("def fit(table, parameters):\n    raise ValueError('crooked')", "fit raised ValueError: crooked"),
        ("def fot(table, parameters): ...", "must be a function fit"),
        ("import nonesuch", "No module named 'nonesuch'"),
    ],
    ids=["raises", "no fit", "does not import"],
)
def test_broken_train_file_is_refused(code: str, words: str, world: World, origin: Make, tmp_path: Path) -> None:
    (world.source / "models" / "price" / "train.py").write_text(code)
    with pytest.raises((TrainingFailed, ConfigError), match=words) as caught:
        _train(world, origin(), tmp_path)
    assert caught.value.exit_code == 2
    assert not (tmp_path / "bundle").exists()


def test_regression_without_an_interval_is_refused(world: World, origin: Make, tmp_path: Path) -> None:
    write_model(world.source, "price", interval=None)
    with pytest.raises(ConfigError, match="interval"):
        _train(world, origin(), tmp_path)


def test_fit_that_asks_for_a_checkpoint_gets_one(world: World, origin: Make, tmp_path: Path) -> None:
    code = (world.source / "models/price/train.py").read_text().replace("parameters):", "parameters, checkpoint):")
    code = code.replace(
        "    rows =", "    checkpoint.save(b'state')\n    assert checkpoint.load() == b'state'\n    rows ="
    )
    (world.source / "models/price/train.py").write_text(code)
    _train(world, origin(), tmp_path)
    assert len(list((tmp_path / "ck").rglob("*.checkpoint"))) == 1


def test_conformal_constant_is_the_ranked_error() -> None:
    assert conformal_constant(np.arange(1.0, 20.0), 0.9) == 18.0  # ceil(20 * 0.9) = 18th smallest of 19


@pytest.mark.parametrize(
    ("residuals", "words"),
    [(np.ones(8), "needs at least 9"), (np.full(50, np.nan), "not finite")],
    ids=["too few rows", "NaN"],
)
def test_conformal_constant_refuses(residuals: np.ndarray, words: str) -> None:
    with pytest.raises(TrainingFailed, match=words):
        conformal_constant(residuals, 0.9)
