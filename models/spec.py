"""The schema of model.yaml: what a model declares about itself. Whoever trains, checks or serves reads it here."""

import math
import re
from collections.abc import Iterator, Mapping
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import Annotated, Any, Literal

from pydantic import Field, PlainValidator, Strict, StringConstraints

from models.declaration import Declared, Problem, check, show
from models.errors import ConfigError
from models.feature import Feature, Name, feature_problems, name_problems
from models.gates_spec import Gates, load_gates
from models.serving_limits import Serving, Task
from models.yaml_file import read_mapping

__all__ = ["Feature", "Gates", "ModelSpec", "Serving", "Task", "load_gates", "load_model", "load_spec"]

Share = Annotated[float, Strict(), Field(gt=0, lt=1)]
Line = Annotated[str, StringConstraints(min_length=1, pattern=r"^[^\n]*$")]

_NAME = re.compile(r"[a-z][a-z0-9]*")


def _scalar(value: object) -> int | float | str | bool:
    if isinstance(value, bool | int | str) or (isinstance(value, float) and math.isfinite(value)):
        return value
    raise AssertionError("must be a finite number, a string, true or false")  # reported, unlike an object's ValueError


Scalar = Annotated[int | float | str | bool, PlainValidator(_scalar)]


class Data(Declared):
    """The model's table and how it is split.

    `key` names columns of the table, features or not, whose stable hash decides which side a row is on; none: all
    features. `held_out` is a share in (0, 1). `slices` are features over whose values a metric's gap is measured.
    """

    file: Annotated[str, StringConstraints(pattern=r"\.(csv|parquet)$")]
    key: tuple[Name, ...] = ()
    held_out: Share = 0.25
    slices: tuple[Name, ...] = ()


class Target(Declared):
    """What is predicted; `classes` in the order of the graph's probabilities, empty for a regression."""

    name: Name
    unit: str | None = None
    classes: tuple[Name, ...] = ()


class Interval(Declared):
    """A regression's interval: its coverage, and the share of training rows held for split-conformal calibration."""

    coverage: Share
    calibration: Share = 0.2


class Training(Declared):
    """The class of resources that training asks for (quantities live with the class), and a cron schedule in UTC."""

    resources: Literal["small", "large", "gpu"] = "small"
    schedule: Annotated[str, StringConstraints(pattern=r"^\S+( \S+){4}$")] | None = None


class ModelSpec(Declared):
    """A model's declaration, as model.yaml holds it."""

    name: Annotated[str, StringConstraints(pattern=rf"^{_NAME.pattern}$")]
    task: Task
    owner: Line
    description: Line
    data: Data
    target: Target
    features: Annotated[tuple[Feature, ...], Field(min_length=1)]
    parameters: dict[str, Scalar] = Field(default_factory=dict)
    interval: Interval | None = None
    training: Training = Training()
    serving: Serving = Serving()

    @cached_property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features in the order of the graph's columns."""
        return tuple(feature.name for feature in self.features)

    @property
    def classes(self) -> tuple[str, ...]:
        """Classes in the order of the graph's probabilities; empty for a regression."""
        return self.target.classes

    def training_half(self) -> dict[str, Any]:
        """What a change of must retrain: everything but owner, description, serving limits and the schedule."""
        return self.model_dump(
            mode="json", exclude={"owner": True, "description": True, "serving": True, "training": {"schedule"}}
        )


def load_spec(folder: Path) -> ModelSpec:
    """The declaration in `folder`/model.yaml.

    Raises:
        ConfigError: everything that is wrong with it, one line each.
    """
    path = folder / "model.yaml"
    raw = read_mapping(path)
    return check(ModelSpec, raw, file=str(path), rules=_problems(raw, folder.resolve().name))


def load_model(folder: Path) -> tuple[ModelSpec, Gates]:
    """Declaration and gates of the model in `folder`.

    Raises:
        ConfigError: everything that is wrong with either file, at once.
    """
    problems: list[str] = []
    spec: ModelSpec | None = None
    gates: Gates | None = None
    try:
        spec = load_spec(folder)
    except ConfigError as err:
        problems += err.problems
    try:
        gates = load_gates(folder)
    except ConfigError as err:
        problems += err.problems
    if spec is None or gates is None:
        raise ConfigError(problems)
    return spec, gates


def _problems(raw: Mapping[str, Any], folder: str) -> Iterator[Problem]:
    """What only several keys together show to be wrong. Wrong types are the schema's affair."""
    name = raw.get("name")
    if isinstance(name, str) and _NAME.fullmatch(name) and name != folder:
        yield Problem(("name",), show(name), f'must equal the folder\'s name, "{folder}"')
    data, target = _mapping(raw.get("data")), _mapping(raw.get("target"))
    features = raw.get("features")
    features = features if isinstance(features, list) else []
    names: list[str] = []
    for index, feature in enumerate(features):
        if not isinstance(feature, dict):
            continue
        yield from feature_problems(feature, ("features", index))
        called = feature.get("name")
        if isinstance(called, str):
            if called in names:
                yield Problem(("features", index, "name"), show(called), "each feature stands once")
            if called == target.get("name"):
                yield Problem(("features", index, "name"), show(called), "the target cannot be among the features")
            names.append(called)
    yield from name_problems(_list(data.get("slices")), names, ("data", "slices"), "must be a feature")
    yield from _data_problems(data, target)
    yield from _task_problems(raw, target)


def _data_problems(data: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[Problem]:
    file = data.get("file")
    if isinstance(file, str) and (PurePosixPath(file).is_absolute() or ".." in PurePosixPath(file).parts):
        yield Problem(("data", "file"), show(file), "must be a path inside data/")
    for index, column in enumerate(_list(data.get("key"))):
        if isinstance(column, str) and column == target.get("name"):
            rule = "the target cannot decide which side of the split a row is on"
            yield Problem(("data", "key", index), show(column), rule)


def _task_problems(raw: Mapping[str, Any], target: Mapping[str, Any]) -> Iterator[Problem]:
    classes = _list(target.get("classes"))
    at = ("target", "classes")
    if raw.get("task") == "classification":
        if len(classes) < 2:
            yield Problem(at, show(target.get("classes")), "a classification lists at least two classes")
        for twice in sorted({str(c) for c in classes if classes.count(c) > 1}):
            yield Problem(at, show(twice), "each class stands once")
        if raw.get("interval") is not None:
            yield Problem(("interval",), show(raw["interval"]), "only a regression has an interval")
    elif raw.get("task") == "regression" and classes:
        yield Problem(at, show(classes), "only a classification has classes")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}


def _list(value: object) -> list[Any]:
    return value if isinstance(value, list) else []
