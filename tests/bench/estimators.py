"""What every server is given to answer with: three scikit-learn classifiers, each fitted once and kept with its rows.

The peers load the estimator itself; ours serves the bundle that the project's own training makes of that very one.
Kept under build/bench/models by a key of what decides them.
"""

import hashlib
import shutil
import tempfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import numpy.typing as npt
import pandas as pd
import yaml
from sklearn import datasets
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from models.bundle import Bundle, open_bundle
from pipelines.lineage import Origin
from pipelines.process import exclusive
from pipelines.training import train
from tests.bench.environments import ROOT

KEPT = ROOT / "build" / "bench" / "models"
BATCH_ROWS = 4096
# Several bodies of so many rows, all different: a body that repeats teaches the processor the way through the trees.
N_ROWS = 8 * BATCH_ROWS
_MAX_BODY_BYTES = 64 * 2**20
_CODE = ("models/*.py", "pipelines/export*.py", "pipelines/graph.py", "pipelines/tree_*.py",
         "pipelines/chunk.py", "pipelines/linear_graph.py", "pipelines/training.py", "pipelines/bundle_files.py",
         "requirements/training.txt", "tests/bench/estimators.py")  # fmt: skip
# Kept as the model's own train.py: the estimator is fitted already.
_FIT = """import joblib


def fit(table, parameters):
    return joblib.load(parameters["estimator"])
"""


@dataclass(frozen=True)
class Recipe:
    """One classifier.

    Attributes:
        story: what it is, for the report.
        load: scikit-learn's loader of its table.
        estimator: makes it, unfitted.
        digits: decimals of its rows, as its data have them.
    """

    story: str
    load: Callable[[], Any]
    estimator: Callable[[], Any]
    digits: int


RECIPES: Mapping[str, Recipe] = {
    "forest": Recipe(
        "random forest of 100 trees on iris, 4 columns", datasets.load_iris,
        lambda: RandomForestClassifier(n_estimators=100, random_state=42), digits=1,
    ),
    "logistic": Recipe(
        "logistic regression on breast cancer, 30 columns", datasets.load_breast_cancer,
        lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=1000)), digits=4,
    ),
    # some 180 leaves a tree: the best number of rows in one call of the runtime is another one than for iris' 10
    "deepforest": Recipe(
        "random forest of 100 deep trees on digits, 64 columns", datasets.load_digits,
        lambda: RandomForestClassifier(n_estimators=100, random_state=42), digits=1,
    ),
}  # fmt: skip


@dataclass(frozen=True)
class Made:
    """A classifier that is ready to be served.

    Attributes:
        folder: holds estimator.joblib, and the bundle.
        rows: (32768, n_features) float64, drawn from the table with noise, all different where the decimals allow.
        labels: (32768,) the index of the class that scikit-learn itself answers for each row.
        probabilities: (32768, n_classes) likewise.
    """

    name: str
    folder: Path
    bundle: Bundle
    rows: npt.NDArray[np.float64]
    labels: npt.NDArray[np.int64]
    probabilities: npt.NDArray[np.float64]

    @property
    def estimator(self) -> Path:
        """The fitted estimator as joblib keeps it."""
        return self.folder / "estimator.joblib"

    @property
    def features(self) -> tuple[str, ...]:
        """Names of the columns."""
        return tuple(feature.name for feature in self.bundle.features)


def made(name: str) -> Made:
    """The classifier of a recipe, fitted now unless it is kept."""
    folder = KEPT / _key() / name
    if not folder.is_dir():
        with exclusive(folder.parent / f".{name}.lock"):  # the suite's processes want the same ones
            if not folder.is_dir():
                with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as scratch:
                    _make(name, Path(scratch))
                    (Path(scratch) / "kept").rename(folder)
    rows = np.load(folder / "rows.npz")
    return Made(name, folder, open_bundle(folder / "bundle", None), rows["rows"], rows["labels"], rows["probabilities"])


def declaration(name: str, features: list[str], classes: list[str], file: Path) -> dict[str, Any]:
    """model.yaml of a classifier whose estimator lies in `file`."""
    return {
        "name": name,
        "task": "classification",
        "owner": "bench@example.org",
        "description": RECIPES[name].story,
        "data": {"file": "table.csv", "held_out": 0.25},
        "target": {"name": "target", "classes": classes},
        "features": [{"name": feature, "dtype": "float"} for feature in features],
        "parameters": {"estimator": str(file)},
        "serving": {"max_rows": BATCH_ROWS, "max_body_bytes": _MAX_BODY_BYTES},
    }


def drawn(table: npt.NDArray[np.float64], digits: int) -> npt.NDArray[np.float64]:
    """(32768, n_features) rows like those of a table: drawn with 2 % of noise, with as many decimals as it has."""
    chance = np.random.default_rng(7)
    rows = table[chance.integers(0, len(table), N_ROWS)]
    # adding 0.0 makes -0.0 a zero
    drawn_rows: npt.NDArray[np.float64] = np.round(rows * (1 + chance.normal(0, 0.02, rows.shape)), digits) + 0.0
    return drawn_rows


def _make(name: str, scratch: Path) -> None:
    recipe, kept = RECIPES[name], scratch / "kept"
    source, data = scratch / "source" / "models" / name, scratch / "data"
    for folder in (kept, source, data):
        folder.mkdir(parents=True)
    loaded = recipe.load()
    features = [str(each).replace(" ", "_").replace("(cm)", "cm") for each in loaded.feature_names]
    classes = [str(each) for each in loaded.target_names]
    estimator = recipe.estimator().fit(loaded.data, loaded.target)
    joblib.dump(estimator, kept / "estimator.joblib")
    rows = drawn(loaded.data, recipe.digits)
    probabilities = estimator.predict_proba(rows)
    np.savez(kept / "rows.npz", rows=rows, labels=estimator.predict(rows), probabilities=probabilities)
    table = pd.DataFrame(loaded.data, columns=features)
    table.assign(target=np.array(classes)[loaded.target]).to_csv(data / "table.csv", index=False)
    declared = declaration(name, features, classes, kept / "estimator.joblib")
    (source / "model.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    (source / "train.py").write_text(_FIT)
    origin = Origin(
        model=name, commit="5" * 40, branch="main", data_md5="0" * 32,
        workflow="bench", image="this-machine", dirty=False,
    )  # fmt: skip
    train(
        scratch / "source", data, origin, run_id=f"bench{name}", checkpoints=f"file://{scratch}/checkpoints",
        out_bundle=kept / "bundle", out_training=kept / "training",
    )  # fmt: skip
    shutil.rmtree(scratch / "source")


def _key() -> str:
    found = hashlib.sha256()
    for path in sorted({path for pattern in _CODE for path in ROOT.glob(pattern)}):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]
