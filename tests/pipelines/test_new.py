"""`mainline new`: a table that nobody prepared becomes a model that trains, or nothing at all."""

from __future__ import annotations

import importlib.util
import subprocess
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.errors import ConfigError
from models.release import read_release
from models.spec import load_model
from pipelines.export import export, parity
from pipelines.new import name_problems, new
from pipelines.overlays import kustomize_files
from pipelines.split import held_out_mask
from pipelines.starter.install import DvcFailed, dvc
from pipelines.table import read_table


def messy(n_rows: int = 400) -> pd.DataFrame:
    """Used bicycles as a shop's export has them: text, codes, gaps in several spellings, dates, useless columns."""
    rng = np.random.default_rng(7)
    age = rng.gamma(2.0, 3.0, n_rows).round(1)
    kind = rng.choice(["Road", "City", "Cargo", "E-Bike"], n_rows, p=[0.3, 0.4, 0.1, 0.2])
    gears = rng.choice([1, 7, 8, 21, 24], n_rows)
    sold = pd.to_datetime("2021-01-01") + pd.to_timedelta(rng.integers(0, 900, n_rows), unit="D")
    price = 300 + 900 * (kind == "E-Bike") + 400 * (kind == "Cargo") - 18 * age + 4 * gears + rng.normal(0, 40, n_rows)
    table = pd.DataFrame(
        {
            "": range(n_rows),
            "bike_id": rng.permutation(90_000)[:n_rows],
            "Kind of bike": kind,
            "age (years)": age.astype(str),
            "gears": gears.astype(str),
            "lights": rng.choice(["True", "False"], n_rows),
            "sold on": sold.strftime("%d.%m.%Y"),
            "postcode": rng.choice(["01067", "10115", "80331"], n_rows),
            "remarks": [f"brought in by customer {n}, see note" for n in range(n_rows)],
            "currency": "EUR",
            "discount": "",
            "price": price.round(2).astype(str),
            "price in cents": (price * 100).round().astype(int),
            "sold fast": np.where(price + rng.normal(0, 100, n_rows) < np.median(price), "yes", "no"),
        }
    )
    table.loc[rng.choice(n_rows, 30, replace=False), "age (years)"] = "n/a"
    table.loc[rng.choice(n_rows, 20, replace=False), "Kind of bike"] = ""
    table.loc[rng.choice(n_rows, 5, replace=False), "price"] = ""
    return table


def run(*command: str, cwd: Path) -> str:
    return subprocess.run(command, cwd=cwd, check=True, capture_output=True, text=True).stdout


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with one data file under DVC, pushed to a folder remote."""
    root = tmp_path_factory.mktemp("repository")
    run("git", "init", "--quiet", cwd=root)
    for folder in ("models", "kustomize/overlays", "data", ".dvc"):
        (root / folder).mkdir(parents=True)
    (root / "models" / "spec.py").write_text("")
    (root / ".dvc" / "config").write_text(
        "[core]\n    analytics = false\n    remote = store\n['remote \"store\"']\n    url = store\n"
    )
    (root / ".dvc" / ".gitignore").write_text("/tmp\n/cache\n/store\n")
    (root / ".gitignore").write_text("/data\n/build/\n")
    (root / "data" / "other.csv").write_text("a\n1\n")
    dvc(root, "add", "--quiet", "data")
    dvc(root, "push", "--quiet", "data")
    return root


@pytest.fixture
def root(template: Path, tmp_path: Path) -> Path:
    run("cp", "-a", str(template), str(tmp_path / "repository"), cwd=tmp_path)
    return tmp_path / "repository"


def everything(root: Path) -> dict[str, bytes]:
    """Every file of the repository that is not DVC's or git's own."""
    return {
        str(path.relative_to(root)): path.read_bytes()
        for path in sorted(root.rglob("*"))
        if path.is_file() and path.relative_to(root).parts[0] not in (".dvc", ".git")
    }


def source(tmp_path: Path, table: pd.DataFrame, suffix: str = ".csv") -> Path:
    path = tmp_path / f"Bikes 2023{suffix}"
    if suffix == ".csv":
        table.to_csv(path, index=False, sep=";")
    else:
        table.to_parquet(path, index=False)
    return path


def train(folder: Path, data: Path, task: str) -> float:
    """Fit the generated baseline, export it, and return its score on the held-out rows."""
    spec, gates = load_model(folder)
    module_spec = importlib.util.spec_from_file_location("generated", folder / "train.py")
    assert module_spec is not None
    assert module_spec.loader is not None
    module: Any = importlib.util.module_from_spec(module_spec)
    module_spec.loader.exec_module(module)
    table = read_table(data / spec.data.file, spec)
    held_out = held_out_mask(table.raw, spec.feature_names, spec.data.held_out)
    estimator = module.fit(table.frame(np.flatnonzero(~held_out)), spec.parameters)
    onnx = export(estimator, spec, table.matrix[:4], 1.0 if task == "regression" else None)
    apart = parity(onnx, estimator, spec, table.matrix)
    assert apart.max_abs <= gates.offline.parity.max_abs
    assert apart.label_mismatch == 0
    return float(estimator.score(table.matrix[held_out], table.frame(np.flatnonzero(held_out))[spec.target.name]))


@pytest.mark.parametrize(
    ("task", "target"), [("regression", "price"), pytest.param("classification", "sold fast", marks=pytest.mark.slow)]
)
def test_messy_table_becomes_a_model_that_trains_and_exports(
    root: Path, tmp_path: Path, task: str, target: str
) -> None:
    before = (root / "data.dvc").read_bytes()
    made = new(root, name="bikes", task=task, target=target, data_file=source(tmp_path, messy()))
    spec, gates = load_model(made.folder)
    assert {f.name: f.dtype for f in spec.features if not f.name.startswith(("price", "sold fast"))} == {
        "Kind of bike": "category",
        "age (years)": "float",
        "gears": "integer",
        "lights": "category",
        "sold on": "date",
        "postcode": "category",
    }
    assert {f.name for f in spec.features if f.missing == "allow"} >= {"Kind of bike", "age (years)"}
    assert {"", "bike_id", "remarks", "currency", "discount"} <= set(made.left_out)
    assert gates.offline.metric in gates.offline.limits
    assert (root / "data.dvc").read_bytes() != before
    assert {p.name for p in (root / "data").iterdir()} == {"other.csv", "bikes.csv"}
    assert train(made.folder, root / "data", task) > 0.6
    for path, text in kustomize_files("bikes").items():
        assert (root / path).read_text() == text
    assert not read_release(root / "kustomize/overlays/production/bikes/release.yaml").is_released
    assert {p.name for p in made.folder.iterdir() if p.is_file()} == {
        "MODEL_CARD.md",
        "__init__.py",
        "gates.yaml",
        "kustomization.yaml",
        "model.yaml",
        "train.py",
    }
    assert list((root / "build").iterdir()) == []
    if task == "regression":
        assert "gives the target away" in made.left_out["price in cents"]
        assert "price: 5 rows without a target are not in the copy" in made.notes
        dvc(root, "status", "--cloud", "--quiet")  # ends with 1 where the push left something out


@pytest.mark.slow
def test_parquet_table_keeps_its_types(root: Path, tmp_path: Path) -> None:
    table = messy().assign(lights=lambda t: t["lights"] == "True", gears=lambda t: t["gears"].astype("int64"))
    table["sold on"] = pd.to_datetime(table["sold on"], format="%d.%m.%Y")
    made = new(
        root, name="bikes", task="classification", target="lights", data_file=source(tmp_path, table, ".parquet")
    )
    spec, _ = load_model(made.folder)
    assert spec.classes == ("False", "True")
    assert {f.name: f.dtype for f in spec.features}["sold on"] == "date"
    assert train(made.folder, root / "data", "classification") > 0.3


@pytest.mark.parametrize(
    ("name", "rule"),
    [
        ("Bikes", "must be lower-case"),
        ("used-bikes", "must be lower-case"),
        ("2bikes", "must be lower-case"),
        ("", "must be lower-case"),
        ("bikes\n", "must be lower-case"),
        ("class", "a word of Python or YAML"),
        ("no", "a word of Python or YAML"),
        ("spec", "models/spec.py has it"),
        ("taken", "the model exists"),
        ("b" * 41, "at most 40"),
    ],
)
def test_name_that_cannot_be_used_is_refused(tmp_path: Path, name: str, rule: str) -> None:
    (tmp_path / "models" / "taken").mkdir(parents=True)
    (tmp_path / "models" / "spec.py").write_text("")
    (problem,) = name_problems(tmp_path, name)
    assert rule in problem


def test_every_refusal_comes_before_anything_is_written(root: Path, tmp_path: Path) -> None:
    before = everything(root)
    table = source(tmp_path, messy())
    for wrong in ({"task": "ranking"}, {"name": "spec"}, {"target": "prize"}, {"data_file": tmp_path / "absent.csv"}):
        with pytest.raises(ConfigError):
            new(root, **{"name": "bikes", "task": "regression", "target": "price", "data_file": table, **wrong})  # type: ignore[arg-type]
    assert everything(root) == before


def test_table_that_validation_refuses_leaves_nothing(root: Path, tmp_path: Path) -> None:
    before = everything(root)
    rng = np.random.default_rng(0)
    table = pd.DataFrame({"x": rng.integers(0, 3, 300), "z": rng.choice(["a", "b"], 300), "y": rng.normal(size=300)})
    with pytest.raises(ConfigError, match="conflicting_rows"):
        new(root, name="noise", task="regression", target="y", data_file=source(tmp_path, table))
    assert everything(root) == before


@pytest.mark.slow
def test_failed_push_leaves_nothing(root: Path, tmp_path: Path) -> None:
    before = everything(root)
    (root / ".dvc" / "blocked").write_text("a file where the remote's folder should be")
    (root / ".dvc" / "config").write_text("[core]\n    remote = store\n['remote \"store\"']\n    url = blocked\n")
    with pytest.raises(DvcFailed, match="dvc push"):
        new(root, name="bikes", task="regression", target="price", data_file=source(tmp_path, messy()))
    assert everything(root) == before


@pytest.mark.slow
def test_data_with_changes_of_its_own_is_refused(root: Path, tmp_path: Path) -> None:
    (root / "data" / "stray.csv").write_text("a\n1\n")
    before = everything(root)
    with pytest.raises(ConfigError, match=r"stray.csv: is not what data.dvc pins"):
        new(root, name="bikes", task="regression", target="price", data_file=source(tmp_path, messy()))
    assert everything(root) == before


@pytest.mark.slow
def test_data_that_was_not_pulled_is_brought_first(root: Path, tmp_path: Path) -> None:
    (root / "data" / "other.csv").unlink()
    (root / "data").rmdir()
    new(root, name="bikes", task="regression", target="price", data_file=source(tmp_path, messy()))
    assert {p.name for p in (root / "data").iterdir()} == {"other.csv", "bikes.csv"}


@pytest.mark.slow
def test_interrupted_overlay_is_replaced_and_other_rows_are_not(root: Path, tmp_path: Path) -> None:
    overlay = root / "kustomize/overlays/staging/bikes"
    overlay.mkdir(parents=True)
    (overlay / "kustomization.yaml").write_text("half")
    (root / "data" / "bikes.csv").write_text("a\n1\n")
    dvc(root, "add", "--quiet", "data")
    with pytest.raises(ConfigError, match="holds other rows"):
        new(root, name="bikes", task="regression", target="price", data_file=source(tmp_path, messy()))
    (root / "data" / "bikes.csv").unlink()
    dvc(root, "add", "--quiet", "data")
    new(root, name="bikes", task="regression", target="price", data_file=source(tmp_path, messy()))
    assert (overlay / "kustomization.yaml").read_text() == kustomize_files("bikes")[
        "kustomize/overlays/staging/bikes/kustomization.yaml"
    ]
