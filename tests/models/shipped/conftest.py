"""The models of this repository, taken through validation, training and evaluation on the data that ships with it."""

import json
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import yaml

from models.bundle import Bundle, open_bundle
from models.release import release_path, render_release, unreleased
from models.spec import ModelSpec, load_model
from pipelines.evaluation import evaluate
from pipelines.lineage import Origin
from pipelines.table import read_raw
from pipelines.training import train
from pipelines.validation import Report, validate

ROOT = Path(__file__).parents[3]
STORE = ROOT / ".dvc" / "store" / "files" / "md5"


@dataclass(frozen=True)
class Trial:
    """What the steps said of one training."""

    spec: ModelSpec
    report: Report
    bundle: Bundle
    document: dict[str, Any]

    def metric(self, name: str) -> float:
        return float(self.document["metrics"][name]["value"])

    @property
    def closed(self) -> set[str]:
        """Gates that are not open; the champion's is, or is not, another's test."""
        return {
            str(gate["gate"])
            for gate in self.document["gates"]
            if gate["verdict"] != "pass" and "champion" not in gate["gate"]
        }


Try = Callable[..., Trial]


def stored(md5: str) -> bytes:
    """An object of the DVC store."""
    return (STORE / md5[:2] / md5[2:]).read_bytes()


def data_version(folder: Path, version: str | None) -> Path:
    """`folder` with the files of a data version (None: the committed one), straight from the store."""
    md5 = version or yaml.safe_load((ROOT / "data.dvc").read_text())["outs"][0]["md5"]
    folder.mkdir(parents=True, exist_ok=True)
    for entry in json.loads(stored(md5)):
        (folder / entry["relpath"]).write_bytes(stored(entry["md5"]))
    return folder


@pytest.fixture
def attempt(tmp_path: Path) -> Try:
    def run(
        model: str,
        parameters: Mapping[str, object] | None = None,
        *,
        version: str | None = None,
        shuffled: bool = False,
        name: str = "trial",
    ) -> Trial:
        work = tmp_path / name
        source, data = work / "source", data_version(work / "data", version)
        folder = source / "models" / model
        shutil.copytree(ROOT / "models" / model, folder, ignore=shutil.ignore_patterns("__pycache__"))
        declared = yaml.safe_load((folder / "model.yaml").read_text())
        declared["parameters"] |= parameters or {}
        (folder / "model.yaml").write_text(yaml.safe_dump(declared))
        release = source / release_path("production", model)
        release.parent.mkdir(parents=True)
        release.write_text(render_release(unreleased(model)))
        spec, gates = load_model(folder)
        raw = read_raw(data / spec.data.file, spec)
        if shuffled:
            raw[spec.target.name] = np.random.default_rng(0).permutation(raw[spec.target.name].to_numpy())
            write = raw.to_parquet if spec.data.file.endswith(".parquet") else raw.to_csv
            write(data / spec.data.file, index=False)
        report = validate(raw, spec, gates.offline.validation)
        origin = Origin(
            model=model, commit="a" * 40, branch="main", data_md5="0" * 32, workflow="w", image="i", dirty=False
        )
        bundle, training = work / "bundle", work / "training"
        checkpoints = f"file://{work}/checkpoints"
        train(source, data, origin, run_id="r", checkpoints=checkpoints, out_bundle=bundle, out_training=training)
        document = evaluate(source, data, model, bundle=bundle, training=training, out=work / "evaluation")
        return Trial(spec, report, open_bundle(bundle, None), document)

    return run
