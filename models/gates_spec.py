"""The schema of gates.yaml: every threshold of a model, with its unit and reason. A resource, never applied."""

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import Field, Strict, StringConstraints

from models.declaration import Declared, Problem, check, did_you_mean, show
from models.errors import ConfigError
from models.online_gates import OnlineGates
from models.online_rules import online_problems
from models.yaml_file import read_mapping

Metric = Literal["rmse", "mae", "r2", "accuracy", "log_loss", "macro_f1"]
METRICS: Mapping[str, tuple[str, ...]] = {
    "regression": ("rmse", "mae", "r2"),
    "classification": ("accuracy", "log_loss", "macro_f1"),
}
LOCAL_CONFIG = "config.kubernetes.io/local-config"

Number = Annotated[float, Strict(), Field(allow_inf_nan=False)]
NotNegative = Annotated[float, Strict(), Field(ge=0, allow_inf_nan=False)]
Share = Annotated[float, Strict(), Field(ge=0, le=1)]
Reason = Annotated[str, StringConstraints(min_length=1, strip_whitespace=True)]


class Gate(Declared):
    """A threshold always says why it is what it is."""

    reason: Reason


class Limit(Gate):
    """Floor (`min`), ceiling (`max`) or both of one metric, in the metric's unit."""

    min: Number | None = None
    max: Number | None = None


class Champion(Gate):
    """Not worse than the champion by more than `margin`, in `unit`, by a paired bootstrap interval."""

    margin: NotNegative
    unit: str
    confidence: Annotated[float, Strict(), Field(gt=0.5, lt=1)] = 0.95
    resamples: Annotated[int, Strict(), Field(ge=100, le=100_000)] = 1000


class Calibration(Gate):
    """Classification: expected calibration error. Regression: |coverage - declared| beyond binomial noise. A share."""

    max_error: Share


class SliceGap(Gate):
    """The largest gap of the champion metric between two slices, in the metric's unit."""

    max: NotNegative


class BundleSize(Gate):
    """The size of the whole bundle."""

    max_bytes: Annotated[int, Strict(), Field(ge=1)]


class ParityLimit(Gate):
    """How far the graph may be from the estimator: largest absolute difference, share of rows with another label."""

    max_abs: NotNegative
    max_label_mismatch: Share = 0.0


class Validation(Gate):
    """What the table must hold before anything is trained.

    `leakage_max_score`: the most that one feature alone may score; R2, or accuracy above the majority's, normalised.
    """

    min_rows: Annotated[int, Strict(), Field(ge=1)]
    leakage_max_score: Share
    max_missing_share: Share


class OfflineGates(Declared):
    """Gates between training and registration. `metric` is the one that champion and slices are compared by."""

    metric: Metric
    limits: Annotated[dict[Metric, Limit], Field(min_length=1)]
    champion: Champion
    calibration: Calibration
    slice_gap: SliceGap | None = None
    bundle: BundleSize
    parity: ParityLimit
    validation: Validation


class GatesSpec(Declared):
    """Both halves, and what the online one is held to.

    `catches`: kind of damage to the weakest strength of it that is never promoted; `make bench-gates` holds the gates
    to it, its kinds and units are `pipelines.rehearsal.simulate.defects`'.
    """

    offline: OfflineGates
    online: OnlineGates
    catches: dict[str, Annotated[float, Field(gt=0, allow_inf_nan=False)]] = Field(default_factory=dict)


class Metadata(Declared):
    """The resource's name, and the annotation that keeps it from being applied."""

    name: str
    annotations: dict[str, str]
    labels: dict[str, str] = Field(default_factory=dict)


class Gates(Declared):
    """gates.yaml."""

    api_version: Literal["mainline.dev/v1"] = Field(alias="apiVersion")
    kind: Literal["Gates"]
    metadata: Metadata
    spec: GatesSpec

    @property
    def offline(self) -> OfflineGates:
        """Gates between training and registration."""
        return self.spec.offline

    @property
    def online(self) -> OnlineGates:
        """Gates of a rollout."""
        return self.spec.online

    @property
    def catches(self) -> dict[str, float]:
        """What the online gates claim to stop: kind of damage to its weakest strength."""
        return self.spec.catches

    def offline_half(self) -> dict[str, Any]:
        """What a change of must retrain."""
        return self.offline.model_dump(mode="json")


def load_gates(folder: Path) -> Gates:
    """The gates in `folder`/gates.yaml, checked against the task and the slices that model.yaml beside it declares.

    Raises:
        ConfigError: everything that is wrong with gates.yaml, one line each; `load_spec` tells model.yaml's.
    """
    path = folder / "gates.yaml"
    raw = read_mapping(path)
    try:
        model = read_mapping(folder / "model.yaml")
    except ConfigError:
        model = {}  # told by load_spec, which every caller needs too
    return check(Gates, raw, file=str(path), rules=_problems(raw, folder.resolve().name, model))


def _problems(raw: Mapping[str, Any], folder: str, model: Mapping[str, Any]) -> Iterator[Problem]:
    metadata = _mapping(raw.get("metadata"))
    name = metadata.get("name")
    if isinstance(name, str) and name != folder:
        yield Problem(("metadata", "name"), show(name), f'must equal the folder\'s name, "{folder}"')
    annotations = metadata.get("annotations")
    if isinstance(annotations, dict) and annotations.get(LOCAL_CONFIG) != "true":
        got = show(annotations.get(LOCAL_CONFIG))
        yield Problem(("metadata", "annotations", LOCAL_CONFIG), got, 'must be "true": gates are never applied')
    spec = _mapping(raw.get("spec"))
    yield from online_problems(_mapping(spec.get("online")))
    offline = _mapping(spec.get("offline"))
    at = ("spec", "offline")
    limits = _mapping(offline.get("limits"))
    for metric, limit in limits.items():
        yield from _limit_problems(_mapping(limit), (*at, "limits", str(metric)))
    known = METRICS.get(str(model.get("task")))
    if known is not None:
        every = [each for metrics in METRICS.values() for each in metrics]
        for where, word in [("metric", offline.get("metric")), *[("limits", word) for word in limits]]:
            if word in every and word not in known:
                rule = f"a {model['task']} is measured by {', '.join(known)}"
                yield Problem((*at, where), show(word), rule, did_you_mean(str(word), known))
    if model and offline.get("slice_gap") is not None and not _mapping(model.get("data")).get("slices"):
        yield Problem((*at, "slice_gap"), show(offline["slice_gap"]), "needs data.slices in model.yaml")


def _limit_problems(limit: Mapping[str, Any], at: tuple[int | str, ...]) -> Iterator[Problem]:
    low, high = limit.get("min"), limit.get("max")
    if set(limit) <= {"reason"}:
        yield Problem(at, show(dict(limit)), "needs min, max or both")
    elif isinstance(low, int | float) and isinstance(high, int | float) and low > high:
        yield Problem((*at, "min"), show(low), f"must not exceed max, {high}")


def _mapping(value: object) -> Mapping[str, Any]:
    return value if isinstance(value, dict) else {}
