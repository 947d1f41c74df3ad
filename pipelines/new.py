"""`mainline new`: a working model from a table: its folder, both overlays, its data under DVC.

The table is read once, its columns are understood or left out with a reason, and what comes of it passes the same
validation that every training runs, before anything is written into the repository.
"""

from __future__ import annotations

import keyword
import re
import tempfile
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from models.errors import ConfigError
from models.release import read_release, release_path
from models.spec import load_model
from pipelines.environments import write_environments
from pipelines.infer_spec import Inferred
from pipelines.overlays import ENVIRONMENTS, images, kustomize_files
from pipelines.split import held_out_mask
from pipelines.starter import files
from pipelines.starter.gates import classification_limits, regression_limits
from pipelines.starter.install import install
from pipelines.starter.source_table import read_source, write_table
from pipelines.starter.target import understand
from pipelines.table import read_raw, read_target
from pipelines.validation import Report, validate

NAME = re.compile(r"[a-z][a-z0-9]*")
MAX_NAME = 40  # a namespace is <name>-production and holds at most 63 characters
YAML_WORDS = frozenset({"false", "n", "no", "null", "off", "on", "true", "y", "yes"})  # unquoted, no text in YAML


@dataclass(frozen=True)
class Made:
    """A new model: where it is, and what the person who asked for it should know."""

    folder: Path
    features: tuple[str, ...]
    left_out: dict[str, str]
    notes: list[str]


def new(root: Path, *, name: str, task: str, target: str, data_file: Path) -> Made:
    """Make a model; nothing is left where it fails.

    Args:
        root: the repository's root.
        name: `[a-z][a-z0-9]*`, free in models/.
        task: classification or regression.
        target: the column to predict.
        data_file: a .csv or .parquet table; a cleaned copy goes to data/, the file itself stays as it is.

    Raises:
        ConfigError: what is wrong with the name, the task, the table or the target, each with its reason.
        DvcFailed: the data could not be put under DVC or pushed.
    """
    problems = [*name_problems(root, name)]
    if task not in ("classification", "regression"):
        problems.append(f"--task: got {task!r}, must be classification or regression")
    if problems:
        raise ConfigError(problems)
    inferred, classes = understand(read_source(data_file), task=task, target=target)
    build = root / "build"  # ignored by git, and on the file system that the folders are renamed in
    build.mkdir(exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=f"new-{name}-", dir=build) as temporary:
        staged = Path(temporary)
        data = f"data/{name}{data_file.suffix}"
        (staged / "data").mkdir()
        write_table(inferred.table, staged / data)
        for path, text in kustomize_files(name, images(root, besides=name)).items():
            (staged / path).parent.mkdir(parents=True, exist_ok=True)
            (staged / path).write_text(text, encoding="utf-8")
        _write_model(staged, name, task, data, target, classes, inferred, source=data_file.name)
        overlays = [str(Path(release_path(environment, name)).parent) for environment in ENVIRONMENTS]
        for overlay in overlays:
            _clear_interrupted(root / overlay)
        if (root / data).exists() and (root / data).read_bytes() != (staged / data).read_bytes():
            raise ConfigError([f"{data}: exists and holds other rows, choose another name or remove it with its model"])
        install(root, staged, folders=[*overlays, f"models/{name}"], data=data)
    write_environments(root)
    dropped = [f"{column}: left out: {reason}" for column, reason in inferred.left_out.items()]
    names = tuple(str(feature["name"]) for feature in inferred.features)
    summary = [f"{len(inferred.table)} rows, {len(names)} features: {', '.join(names)}"]
    return Made(root / "models" / name, names, inferred.left_out, [*summary, *inferred.notes, *dropped])


def name_problems(root: Path, name: str) -> list[str]:
    """Why a model may not be called so."""
    models = root / "models"
    if not NAME.fullmatch(name):
        return [f"name: got {name!r}, must be lower-case letters and digits, a letter first ([a-z][a-z0-9]*)"]
    if len(name) > MAX_NAME:
        return [
            f"name: got {len(name)} characters, at most {MAX_NAME}: the namespace {name}-production must stay below 64"
        ]
    if keyword.iskeyword(name) or name in YAML_WORDS:
        return [f"name: got {name!r}, a word of Python or YAML, choose another"]
    if (models / f"{name}.py").exists():
        return [f"name: got {name!r}, models/{name}.py has it, choose another"]
    if (models / name).exists():
        return [f"name: got {name!r}, the model exists (models/{name}/), choose another or edit it"]
    return []


def _write_model(
    staged: Path, name: str, task: str, data: str, target: str, classes: list[str], inferred: Inferred, *, source: str
) -> None:
    """The files of models/<name> under `staged`, such that validation passes; its kustomization is there already.

    Raises:
        ConfigError: validation refuses the table for more than a feature that gives the target away.
    """
    folder = staged / "models" / name
    while True:
        report = _declare(staged, name, task, data, target, classes, inferred)
        leaking = {finding.subject: finding for finding in report.problems if finding.check == "leakage"}
        others = [finding.line() for finding in report.problems if finding.check != "leakage"]
        if others or len(leaking) == len(inferred.features):
            raise ConfigError([f"table: {line}" for line in others or [f.line() for f in leaking.values()]])
        if not leaking:
            break
        for column, finding in leaking.items():
            inferred.left_out[column] = f"gives the target away: it scores {finding.value}, {finding.rule}"
        inferred.features = [feature for feature in inferred.features if feature["name"] not in leaking]
    inferred.notes += [f"validation: {finding.line()}" for finding in report.warnings]
    (folder / "__init__.py").write_text(f'"""The model `{name}`."""\n', encoding="utf-8")
    (folder / "train.py").write_text(files.train_py(name, task, target), encoding="utf-8")
    card = files.model_card(name, task, target, inferred, source=source, n_rows=len(inferred.table))
    (folder / "MODEL_CARD.md").write_text(card, encoding="utf-8")


def _declare(
    staged: Path, name: str, task: str, data: str, target: str, classes: list[str], inferred: Inferred
) -> Report:
    """Write model.yaml and gates.yaml, read them back, and validate the table against them."""
    folder, n_rows = staged / "models" / name, len(inferred.table)
    spec_text = files.model_yaml(
        name,
        task,
        data=Path(data).name,
        target=target,
        classes=classes,
        features=inferred.features,
        n_rows=n_rows,
    )
    (folder / "model.yaml").write_text(spec_text, encoding="utf-8")
    names = [feature["name"] for feature in inferred.features]
    held_out = held_out_mask(inferred.table, names, 0.25)
    values = inferred.table[target]
    if task == "regression":
        limits = regression_limits(values.to_numpy(dtype=np.float64), held_out)
    else:
        limits = classification_limits(values.astype(str).to_numpy(), held_out)
    missing = float(inferred.table[names].isna().mean().max())
    unit = target if task == "regression" else "nats"
    gates_text = files.gates_yaml(name, limits, unit=unit, n_rows=n_rows, missing_share=missing)
    (folder / "gates.yaml").write_text(gates_text, encoding="utf-8")
    spec, gates = load_model(folder)
    raw = read_raw(staged / data, spec)
    read_target(raw, spec)
    return validate(raw, spec, gates.offline.validation)


def _clear_interrupted(overlay: Path) -> None:
    """Remove the overlay of a `new` that was killed: it released nothing and its model does not exist.

    Raises:
        ConfigError: the overlay releases something, though the model is gone.
    """
    release = overlay / "release.yaml"
    if not overlay.exists():
        return
    if release.exists() and read_release(release).is_released:
        raise ConfigError([f"{overlay}: releases a model that has no folder; remove the overlay first"])
    for path in overlay.iterdir():
        path.unlink()
    overlay.rmdir()
