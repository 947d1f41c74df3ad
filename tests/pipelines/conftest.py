"""A small world for the steps: a source tree with a regression and a classification, and an MLflow store."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from models.release import release_path, render_release, unreleased
from pipelines.lineage import Origin

COMMIT = "a" * 40
DATA_MD5 = "0" * 32 + ".dir"

_ROOT = Path(__file__).resolve().parents[2]
_ONLINE = yaml.safe_load((_ROOT / "models/iris/gates.yaml").read_text(encoding="utf-8"))["spec"]["online"]
_FEATURES = [
    {"name": "area", "dtype": "float", "min": 0, "max": 100, "missing": "allow"},
    {"name": "rooms", "dtype": "integer", "min": 1, "max": 9},
    {"name": "street", "dtype": "category", "categories": ["Grvl", "Pave"], "missing": "allow"},
]
_SPECS: dict[str, dict[str, Any]] = {
    "price": {
        "task": "regression",
        "data": {"file": "price.csv", "key": ["id"], "held_out": 0.3, "slices": ["street"]},
        "target": {"name": "cost", "unit": "EUR"},
        "interval": {"coverage": 0.9, "calibration": 0.25},
    },
    "kind": {
        "task": "classification",
        "data": {"file": "kind.csv", "key": [], "held_out": 0.3},
        "target": {"name": "label", "classes": ["low", "high"]},
    },
}
_FITS = {
    "price": """
from sklearn.linear_model import Ridge
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
def fit(table, parameters):
    rows = table.drop(columns="cost").to_numpy(dtype="float64")
    return make_pipeline(SimpleImputer(), Ridge(alpha=parameters["alpha"])).fit(rows, table["cost"].to_numpy())
""",
    "kind": """
from sklearn.linear_model import LogisticRegression
from sklearn.impute import SimpleImputer
from sklearn.pipeline import make_pipeline
def fit(table, parameters):
    rows = table.drop(columns="label").to_numpy(dtype="float64")
    labels = table["label"].to_numpy(dtype=str)
    return make_pipeline(SimpleImputer(), LogisticRegression(max_iter=500)).fit(rows, labels)
""",
}


def table(n_rows: int = 400) -> pd.DataFrame:
    """Rows of both models: cost depends on area and rooms, a tenth of the streets is missing."""
    rng = np.random.default_rng(1)
    area = np.round(rng.uniform(10, 90, n_rows), 3)
    rooms = rng.integers(1, 9, n_rows)
    frame = pd.DataFrame({"id": np.arange(n_rows), "area": area, "rooms": rooms})
    frame["street"] = pd.Series(rng.choice(["Grvl", "Pave"], n_rows), dtype=object).mask(rng.random(n_rows) < 0.1)
    frame["cost"] = 3 * area + 20 * rooms + rng.normal(0, 15, n_rows)
    frame["label"] = np.where(frame["cost"] + rng.normal(0, 20, n_rows) > 240, "high", "low")
    return frame


def gates(model: str) -> dict[str, Any]:
    """The gates.yaml of a model, wide enough for a sound fit."""
    regression = _SPECS[model]["task"] == "regression"
    metric, limit, margin = ("rmse", {"max": 40.0}, 2.0) if regression else ("accuracy", {"min": 0.6}, 0.02)
    offline: dict[str, Any] = {
        "metric": metric,
        "limits": {metric: {**limit, "reason": "r"}},
        "champion": {"margin": margin, "unit": "u", "resamples": 200, "reason": "r"},
        "calibration": {"max_error": 0.15, "reason": "r"},
        "bundle": {"max_bytes": 5_000_000, "reason": "r"},
        "parity": {"max_abs": 0.01, "reason": "r"},
        "validation": {"min_rows": 100, "leakage_max_score": 0.95, "max_missing_share": 0.3, "reason": "r"},
    }
    if regression:
        offline["slice_gap"] = {"max": 15.0, "reason": "r"}
    return {
        "apiVersion": "mainline.dev/v1",
        "kind": "Gates",
        "metadata": {"name": model, "annotations": {"config.kubernetes.io/local-config": "true"}},
        "spec": {"offline": offline, "online": _ONLINE},
    }


def write_model(root: Path, model: str, **changes: Any) -> Path:
    """A model's folder under `root`; `changes` replace keys of model.yaml."""
    folder = root / "models" / model
    folder.mkdir(parents=True, exist_ok=True)
    spec = {"name": model, "owner": "a@b.org", "description": "d", "features": _FEATURES, "parameters": {"alpha": 1.0}}
    (folder / "model.yaml").write_text(yaml.safe_dump({**spec, **_SPECS[model], **changes}))
    (folder / "gates.yaml").write_text(yaml.safe_dump(gates(model)))
    (folder / "train.py").write_text(_FITS[model])
    release = root / release_path("production", model)
    release.parent.mkdir(parents=True, exist_ok=True)
    release.write_text(render_release(unreleased(model)))
    return folder


@dataclass(frozen=True)
class World:
    """A source tree and its data."""

    source: Path
    data: Path


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Both models and their tables."""
    data = tmp_path / "data"
    data.mkdir()
    for model in _SPECS:
        write_model(tmp_path / "source", model)
        table().to_csv(data / f"{model}.csv", index=False)
    return World(tmp_path / "source", data)


@pytest.fixture
def origin() -> Callable[..., Origin]:
    """Origins that differ from one another in what is said."""

    def make(model: str = "price", **changes: Any) -> Origin:
        fixed: dict[str, Any] = {"commit": COMMIT, "branch": "main", "data_md5": DATA_MD5, "image": "this-machine"}
        return Origin(**{"model": model, "workflow": f"{model}-aaa", "dirty": False, **fixed, **changes})

    return make
