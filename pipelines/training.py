"""From a commit's code and data to a bundle: split, fit, calibrate, export, compare with the estimator, write.

The same commit, data, parameters and run give the same digest: nothing that only the clock or the machine's load knows
goes into the bundle, but for one coarse choice (`chunk`); timings stand in training.json beside it.
"""

import importlib.metadata
import importlib.util
import inspect
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import numpy.typing as npt

from models import bundle as bundles
from models.predictor import Predictor
from models.spec import load_spec
from pipelines import export as exporting
from pipelines import graph
from pipelines.bundle_files import background, golden, held_out, reference
from pipelines.checkpoint import Checkpoint, key_of
from pipelines.chunk import best_chunk
from pipelines.conformal import conformal_constant
from pipelines.errors import ConfigError, TrainingFailed
from pipelines.jsonfile import write_json
from pipelines.lineage import Origin, parameters_hash
from pipelines.split import CALIBRATION, held_out_mask
from pipelines.table import Table, read_table

LIBRARIES = ("numpy", "pandas", "scikit-learn", "skl2onnx", "onnx", "onnxruntime", "torch")


@dataclass(frozen=True)
class Rows:
    """Which rows do what; three masks (n,) without overlap, together all rows."""

    fit: npt.NDArray[np.bool_]
    calibration: npt.NDArray[np.bool_]
    held_out: npt.NDArray[np.bool_]


def train(
    source: Path, data: Path, origin: Origin, *, run_id: str, checkpoints: str, out_bundle: Path, out_training: Path
) -> str:
    """Writes the bundle and training.json; returns the digest.

    Raises:
        TrainingFailed: the model's `fit` raised, or gave something that no graph or interval can be made of.
        CannotExport: ONNX cannot express the estimator.
    """
    started = time.perf_counter()
    folder = source / "models" / origin.model
    spec = load_spec(folder)
    if spec.task == "regression" and spec.interval is None:
        raise ConfigError(
            [f"{folder / 'model.yaml'}: interval: got nothing, a regression declares its interval's coverage"]
        )
    table = read_table(data / spec.data.file, spec)
    rows = split(table)
    fit = load_fit(folder / "train.py", origin.model)
    estimator = _fitted(fit, table, rows, checkpoints, origin)
    fitted = time.perf_counter()
    constant = None
    if spec.interval is not None:
        matrix, target = table.matrix[rows.calibration], table.target[rows.calibration].astype(np.float64)
        residuals = np.abs(target - exporting.estimator_outputs(estimator, spec, matrix)["prediction"])
        constant = conformal_constant(residuals, spec.interval.coverage)
    graph_bytes = exporting.export(estimator, spec, table.matrix[rows.fit], constant)
    parity = exporting.parity(graph_bytes, estimator, spec, table.matrix[rows.held_out])
    exported = time.perf_counter()
    digest = _write(out_bundle, table, rows, graph_bytes, origin, run_id)
    document = {
        "model": origin.model,
        "digest": digest,
        "parity": {"max_abs": parity.max_abs, "label_mismatch": parity.label_mismatch, "n_rows": parity.n_rows},
        "rows": {"fit": rows.fit.sum(), "calibration": rows.calibration.sum(), "held_out": rows.held_out.sum()},
        "conformal": constant,
        "libraries": libraries(),
        "seconds": {
            "fit": round(fitted - started, 3),
            "export": round(exported - fitted, 3),
            "bundle": round(time.perf_counter() - exported, 3),
        },
    }
    write_json(out_training / "training.json", document)
    return digest


def split(table: Table) -> Rows:
    """Held out by the stable hash of the key; of the others a share calibrates the interval, by another hash."""
    spec = table.spec
    key = spec.data.key or spec.feature_names
    held_out = held_out_mask(table.raw, key, spec.data.held_out)
    calibration = np.zeros(len(held_out), dtype=bool)
    if spec.interval is not None:
        calibration = ~held_out & held_out_mask(table.raw, key, spec.interval.calibration, salt=CALIBRATION)
    return Rows(~held_out & ~calibration, calibration, held_out)


def load_fit(path: Path, model: str) -> Callable[..., Any]:
    """The `fit` of a model's train.py, loaded from that very file, whatever is installed.

    Raises:
        ConfigError: there is no such file, or no function `fit` in it.
    """
    name = f"models.{model}.train"
    described = importlib.util.spec_from_file_location(name, path)
    if described is None or described.loader is None or not path.is_file():
        raise ConfigError([f"{path}: got nothing, must define fit(table, parameters)"])
    module = importlib.util.module_from_spec(described)
    before = sys.modules.get(name)
    sys.modules[name] = module
    try:
        described.loader.exec_module(module)
    except Exception as error:
        raise TrainingFailed(f"{path}: {type(error).__name__}: {error}; the file must import without work") from error
    finally:
        _restore(name, before)
    fit = getattr(module, "fit", None)
    if not callable(fit):
        raise ConfigError([f"{path}: fit: got {fit!r}, must be a function fit(table, parameters)"])
    return fit  # type: ignore[no-any-return]


def libraries() -> dict[str, str]:
    """Versions of what decides the numbers; those that are not installed are left out."""
    versions = {}
    for name in LIBRARIES:
        if name == "torch" and "torch" not in sys.modules:
            continue  # installed or not, it had no part
        versions[name] = importlib.metadata.version(name)
    return versions


def _restore(name: str, before: ModuleType | None) -> None:
    if before is not None:
        sys.modules[name] = before


def _fitted(fit: Callable[..., Any], table: Table, rows: Rows, checkpoints: str, origin: Origin) -> object:
    spec = table.spec
    for side, mask in (("training", rows.fit), ("held-out", rows.held_out)):
        if not mask.any():
            raise TrainingFailed(
                f"{spec.name}: got no {side} row, both sides need some; check data.key and data.held_out"
            )
    arguments: dict[str, object] = {}
    if "checkpoint" in inspect.signature(fit).parameters:
        half = {"training_half": parameters_hash(spec)}
        key = key_of(model=spec.name, commit=origin.commit, data_md5=origin.data_md5, parameters=half)
        arguments["checkpoint"] = Checkpoint(checkpoints, key)
    try:
        return fit(table.frame(rows.fit), dict(spec.parameters), **arguments)
    except (ArithmeticError, AttributeError, KeyError, TypeError, ValueError) as error:
        # the model's code or parameters are wrong, and a retry would end the same way
        raise TrainingFailed(f"models/{spec.name}/train.py: fit raised {type(error).__name__}: {error}") from error


def _write(folder: Path, table: Table, rows: Rows, graph_bytes: bytes, origin: Origin, run_id: str) -> str:
    """The bundle, which has to answer its own golden rows before anybody else gets it."""
    spec = table.spec
    training, unseen = table.matrix[~rows.held_out], table.matrix[rows.held_out]
    lineage = bundles.Lineage(
        commit=origin.commit,
        dirty=origin.dirty,
        data_md5=origin.data_md5,
        run_id=run_id,
        workflow=origin.workflow,
        training_image=origin.image,
    )
    chunk_rows = best_chunk(graph_bytes, training)
    manifest = bundles.Manifest.of(spec, lineage=lineage, libraries=libraries(), chunk_rows=chunk_rows)
    predict = partial(graph.run, graph_bytes)
    files: dict[str, bytes | Path] = {
        bundles.MODEL: graph_bytes,
        bundles.GOLDEN: golden(spec, unseen, training, predict),
        bundles.REFERENCE: reference(spec, training, predict),
        bundles.HELD_OUT: held_out(spec, unseen, predict),
        bundles.BACKGROUND: background(training),
    }
    digest = bundles.write(folder, manifest, files)
    Predictor(bundles.open_bundle(folder, digest)).self_test()
    return digest
