"""How far the gates' metric differs between groups of held-out rows: for a model good on average only."""

import numpy as np
import numpy.typing as npt

from models.gates_spec import OfflineGates
from pipelines.gates import Gap
from pipelines.metrics import LOWER_IS_BETTER, Interval, Metric, Outputs, bootstrap, metrics_of, take
from pipelines.table import Table

# Fewer rows than this say nothing of a group: the error of a mean over 30 is a fifth of the spread.
MIN_ROWS = 30
MAX_VALUES = 10  # a number with more distinct values is cut into quarters


def slice_gaps(
    table: Table, held_out: npt.NDArray[np.bool_], outputs: Outputs, gates: OfflineGates, *, rng: np.random.Generator
) -> dict[str, Gap]:
    """The largest gap for each feature of `data.slices`, among its values with at least 30 held-out rows."""
    spec, target = table.spec, table.target[held_out]
    metric = metrics_of(spec.task, has_interval=spec.interval is not None)[gates.metric]
    gaps = {}
    for feature in spec.data.slices:
        labels = labels_of(table, feature)[held_out]
        gaps[feature] = _gap(labels, target, outputs, metric, gates, rng)
    return gaps


def labels_of(table: Table, feature: str) -> npt.NDArray[np.str_]:
    """(n,) the group of every row by one feature: a category, a number's value, or its quarter over all rows."""
    number = table.spec.feature_names.index(feature)
    declared, values = table.spec.features[number], table.matrix[:, number]
    if declared.dtype == "category":
        names = [*declared.categories, declared.missing_token]
        return np.array([names[int(value)] for value in values])
    known = values[np.isfinite(values)]
    if len(np.unique(known)) > MAX_VALUES:
        quarters = np.searchsorted(np.quantile(known, [0.25, 0.5, 0.75]), values)
        return np.where(np.isfinite(values), np.char.add("quarter ", (quarters + 1).astype(str)), "(missing)")
    return np.array([f"{value:g}" if np.isfinite(value) else "(missing)" for value in values])


def _gap(
    labels: npt.NDArray[np.str_],
    target: npt.NDArray[np.generic],
    outputs: Outputs,
    metric: Metric,
    gates: OfflineGates,
    rng: np.random.Generator,
) -> Gap:
    names, counts = np.unique(labels, return_counts=True)
    names = names[counts >= MIN_ROWS]
    if len(names) < 2:
        return Gap(gap=Interval(float("nan"), float("nan"), float("nan")), worst="", best="", judged=len(names))

    def by_name(rows: npt.NDArray[np.int64]) -> dict[str, float]:
        drawn = labels[rows]
        found = {}
        for name in names:
            own = rows[drawn == name]
            found[str(name)] = metric(target[own], take(outputs, own)) if len(own) else float("nan")
        return found

    def spread(rows: npt.NDArray[np.int64]) -> dict[str, float]:
        return {"gap": float(np.ptp(list(by_name(rows).values())))}

    over_all = by_name(np.arange(len(target)))
    order = sorted(over_all, key=lambda name: over_all[name], reverse=gates.metric not in LOWER_IS_BETTER)
    settings = gates.champion
    found = bootstrap(spread, len(target), confidence=settings.confidence, resamples=settings.resamples, rng=rng)
    return Gap(gap=found["gap"], worst=order[-1], best=order[0], judged=len(names))
