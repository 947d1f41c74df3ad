"""The bundles that simulated rollouts run: trained once, each by its recipe, and kept in build/bench/pool."""

import hashlib
import os
import shutil
import tempfile
from dataclasses import dataclass
from functools import cache, lru_cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import yaml

from models.bundle import Bundle, open_bundle
from models.findings import Matrix
from models.predictor import Predictor
from models.spec import load_spec
from pipelines.data import pull
from pipelines.lineage import Origin
from pipelines.process import exclusive
from pipelines.rehearsal.simulate.recipes import Recipe, drifted, recipes
from pipelines.table import encode_raw, read_raw
from pipelines.training import train

_ROOT = Path(__file__).resolve().parents[3]
_KEPT = _ROOT / "build" / "bench" / "pool"
# What decides a bundle's bytes, besides the model's own folder and table.
_CODE = (
    "models/[bcfmrps]*.py", "pipelines/bundle_files.py", "pipelines/conformal.py", "pipelines/export*.py",
    "pipelines/graph.py", "pipelines/split.py", "pipelines/table.py", "pipelines/training.py",
    "requirements/training.txt", "pipelines/rehearsal/simulate/recipes.py",
)  # fmt: skip


@dataclass(frozen=True)
class Version:
    """A trained version: its bundle, and the graph ready to run."""

    name: str
    bundle: Bundle
    predictor: Predictor


@lru_cache(maxsize=256)
def version(model: str, name: str) -> Version:
    """The version that a recipe makes, trained now unless it is kept; a bundle's absolute path names itself."""
    bundle = open_bundle(Path(name) if name.startswith("/") else trained(model, name), None)
    return Version(name, bundle, Predictor(bundle))


def trained(model: str, name: str) -> Path:
    """The folder of a recipe's bundle, trained now unless it is kept."""
    folder = _KEPT / f"{model}-{_key(model)}" / name
    if not folder.is_dir():
        _make(recipes(model)[name], folder)
    return folder


def _make(recipe: Recipe, folder: Path) -> None:
    folder.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as made:
        scratch = Path(made)
        _prepare(recipe, scratch)
        origin = Origin(
            model=recipe.model, commit="b" * 40, branch="main", data_md5="0" * 32, workflow="bench",
            image="none", dirty=False,
        )  # fmt: skip
        train(
            scratch, scratch / "data", origin, run_id=f"bench-{recipe.name}", checkpoints=f"file://{scratch}/c",
            out_bundle=scratch / "bundle", out_training=scratch / "training",
        )  # fmt: skip
        try:
            os.rename(scratch / "bundle", folder)
        except OSError:
            if not folder.is_dir():  # else another process was quicker
                raise


def _prepare(recipe: Recipe, scratch: Path) -> None:
    """The model's folder and table, damaged."""
    folder = scratch / "models" / recipe.model
    shutil.copytree(_ROOT / "models" / recipe.model, folder, ignore=shutil.ignore_patterns("__pycache__"))
    declared: dict[str, Any] = yaml.safe_load((folder / "model.yaml").read_text())
    declared["parameters"] |= recipe.parameters
    if recipe.coverage_factor != 1:
        declared["interval"]["coverage"] = round(declared["interval"]["coverage"] * recipe.coverage_factor, 4)
    (folder / "model.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    with (folder / "train.py").open("a") as code:
        code.write(recipe.code)
    spec = load_spec(folder)
    table = read_raw(table_file(recipe.model), spec)
    if recipe.table is not None:
        table = recipe.table(table)
    (scratch / "data").mkdir()
    write = table.to_parquet if spec.data.file.endswith(".parquet") else table.to_csv
    write(scratch / "data" / spec.data.file, index=False)


@cache
def table_file(model: str) -> Path:
    """The model's table as it lies in data/, pulled by DVC where it does not.

    Raises:
        DataMismatch: it cannot be had.
    """
    file = load_spec(_ROOT / "models" / model).data.file
    with exclusive(_ROOT / "build" / "bench" / "data.lock"):
        if not (_ROOT / "data" / file).is_file():
            pull(_ROOT, file, _ROOT / "build" / "bench" / "data")
    return _ROOT / "data" / file


@cache
def population(model: str, drift: float) -> Matrix:
    """All encoded rows of the model's table, in a world that moved by `drift`: what traffic is drawn from."""
    spec = load_spec(_ROOT / "models" / model)
    raw = read_raw(table_file(model), spec)
    return encode_raw(drifted(model, drift)(raw) if drift else raw, spec)


@dataclass(frozen=True)
class _Jitter:
    """(n_features,) each: by how much numbers are jittered, which are whole, and between what they stay."""

    spread: Matrix
    whole: npt.NDArray[np.bool_]
    low: Matrix
    high: Matrix


@cache
def _jitter(model: str, drift: float) -> _Jitter:
    rows, features = population(model, drift), load_features(model)
    still = np.array([each.dtype == "category" or each.out_of_range == "refuse" for each in features])
    spread = np.where(still, 0, 0.1 * np.nanstd(rows, axis=0)).astype(np.float32)
    whole = np.array([each.dtype != "float" for each in features])
    return _Jitter(spread, whole, np.nanmin(rows, axis=0), np.nanmax(rows, axis=0))


def traffic_rows(model: str, drift: float, count: int, chance: np.random.Generator) -> Matrix:
    """`count` rows of traffic: the population resampled, its numbers jittered by a tenth of their spread.

    Whole numbers stay whole and inside what the table has, missing values stay missing, categories stay.
    """
    rows, jitter = population(model, drift), _jitter(model, drift)
    drawn = rows[chance.integers(0, len(rows), count)]
    drawn = drawn + chance.standard_normal(drawn.shape, dtype=np.float32) * jitter.spread
    drawn[:, jitter.whole] = np.round(drawn[:, jitter.whole])
    return np.clip(drawn, jitter.low, jitter.high)


@cache
def load_features(model: str) -> tuple[Any, ...]:
    """The features of a model's declaration."""
    return load_spec(_ROOT / "models" / model).features


@cache
def _key(model: str) -> str:
    found = hashlib.sha256()
    patterns = (*_CODE, f"models/{model}/*.py", f"models/{model}/model.yaml")
    paths = {path for pattern in patterns for path in _ROOT.glob(pattern)}
    for path in sorted({*paths, table_file(model)}):
        found.update(f"{path.relative_to(_ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]
