"""Makes the specimens' bundles from their recipes, each once: they are kept in build/specimens under a key of the code.

Called by the tests' fixtures and by `python -m tests.specimens`.
"""

import fcntl
import hashlib
import io
import shutil
import tempfile
from functools import cache, partial
from pathlib import Path

import onnx
import pandas as pd
import yaml

from models import bundle as bundles
from models.bundle import Bundle, Golden, open_bundle
from models.predictor import Predictor
from models.rows import encode
from models.spec import ModelSpec, load_spec
from pipelines import bundle_files, graph
from pipelines.lineage import Origin
from pipelines.rehearsal.simulate.pool import table_file
from pipelines.table import read_raw
from pipelines.training import train
from tests.specimens.recipes import RECIPES, Recipe

ROOT = Path(__file__).resolve().parents[2]
KEPT = ROOT / "build" / "specimens"
# What decides the bytes of a bundle, besides the model's own folder and table.
_CODE = (
    "models/[bcfmrps]*.py", "pipelines/bundle_files.py", "pipelines/conformal.py", "pipelines/export*.py",
    "pipelines/graph.py", "pipelines/split.py", "pipelines/table.py", "pipelines/training.py",
    "requirements/training.txt", "tests/specimens/graphs.py", "tests/specimens/recipes.py",
)  # fmt: skip


@cache
def made(name: str) -> Bundle:
    """The bundle of a recipe, trained now unless it is kept."""
    recipe = RECIPES[name]
    folder = KEPT / _key(recipe.model) / name
    if not folder.is_dir():
        folder.parent.mkdir(parents=True, exist_ok=True)
        with (folder.parent / f".{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)  # the suite's processes want the same ones
            if not folder.is_dir():
                _make(recipe, folder)
    return open_bundle(folder, None)


def _make(recipe: Recipe, folder: Path) -> None:
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".making-") as scratch:
        source, data = Path(scratch) / "source", Path(scratch) / "data"
        spec = _prepare(recipe, source, data)
        origin = Origin(
            model=recipe.model, commit="5" * 40, branch="main", data_md5="0" * 32,
            workflow="specimens", image="this-machine", dirty=False,
        )  # fmt: skip
        bundle = Path(scratch) / folder.name
        train(
            source, data, origin, run_id=f"specimen{folder.name.replace('-', '')}",
            checkpoints=f"file://{scratch}/checkpoints", out_bundle=bundle, out_training=Path(scratch) / "training",
        )  # fmt: skip
        if recipe.graph is not None:
            _damage_graph(recipe, spec, bundle)
        bundle.rename(folder)


def _prepare(recipe: Recipe, source: Path, data: Path) -> ModelSpec:
    """The model's folder and its table, damaged as the recipe says."""
    folder = source / "models" / recipe.model
    shutil.copytree(ROOT / "models" / recipe.model, folder, ignore=shutil.ignore_patterns("__pycache__"))
    declared = yaml.safe_load((folder / "model.yaml").read_text())
    declared["parameters"] |= recipe.parameters
    if recipe.declaration is not None:
        recipe.declaration(declared)
    (folder / "model.yaml").write_text(yaml.safe_dump(declared, sort_keys=False))
    spec = load_spec(folder)
    data.mkdir(parents=True)
    table = read_raw(table_file(recipe.model), spec)
    if recipe.table is not None:
        table = recipe.table(table)
    write = table.to_parquet if spec.data.file.endswith(".parquet") else table.to_csv
    write(data / spec.data.file, index=False)
    return spec


def _damage_graph(recipe: Recipe, spec: ModelSpec, folder: Path) -> None:
    """The bundle with another graph, and everything that is predicted predicted by that one."""
    assert recipe.graph is not None
    bundle = open_bundle(folder, None)
    model = onnx.load_from_string(bundle.read(bundles.MODEL))
    recipe.graph(model, bundle)
    data = graph.to_bytes(model)
    predict = partial(graph.run, data)
    names = [feature.name for feature in bundle.features]

    def rows(file: str) -> bundle_files.Matrix:
        return pd.read_parquet(io.BytesIO(bundle.read(file)))[names].to_numpy(dtype="float32")

    golden = bundle.golden
    outputs = predict(encode(golden.rows, bundle.features).matrix)
    kept = Golden(golden.rows, {name: values.tolist() for name, values in outputs.items()}, golden.tolerance)
    files: dict[str, bytes | Path] = {
        bundles.MODEL: data,
        bundles.GOLDEN: kept.to_json(),
        bundles.REFERENCE: bundle_files.reference(spec, rows(bundles.REFERENCE), predict),
        bundles.HELD_OUT: bundle_files.held_out(spec, rows(bundles.HELD_OUT), predict),
        bundles.BACKGROUND: bundle.read(bundles.BACKGROUND),
    }
    digest = bundles.write(folder, bundle.manifest, files)
    Predictor(open_bundle(folder, digest)).self_test()


@cache
def _key(model: str) -> str:
    found = hashlib.sha256()
    patterns = (*_CODE, f"models/{model}/*.py", f"models/{model}/model.yaml")
    for path in sorted({*(path for pattern in patterns for path in ROOT.glob(pattern)), table_file(model)}):
        found.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes())
    return found.hexdigest()[:16]
