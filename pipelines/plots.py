"""Pictures of an evaluation, as PNG files: few, small, and readable without the numbers beside them."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from models.spec import ModelSpec
from pipelines.metrics import ECE_BINS, Outputs

_INK, _QUIET, _CANDIDATE, _CHAMPION = "#1f2933", "#9aa5b1", "#2563eb", "#d97706"
_MAX_POINTS = 2000  # more dots than this are a blot, and slow to draw


def write_plots(
    out: Path,
    spec: ModelSpec,
    target: npt.NDArray[np.generic],
    outputs: Outputs,
    *,
    metric: str,
    metrics: Mapping[str, Mapping[str, float]],
) -> list[str]:
    """Draws the plots of a task.

    Args:
        out: folder that gets the files.
        spec: names and units on the axes.
        target: (n,) class indices or values of the held-out rows.
        outputs: what the candidate answers for the same rows.
        metric: the metric that candidate and champion are compared by.
        metrics: "candidate" and, where there is one, "champion" -> value, low and high of that metric.

    Returns:
        File names, the most telling one first.
    """
    out.mkdir(parents=True, exist_ok=True)
    figure, axes = _figure(2)
    if spec.task == "regression":
        _predicted(axes[0], spec, target.astype(np.float64), outputs)
    else:
        _confusion(axes[0], spec, target.astype(np.int64), outputs)
    _compared(axes[1], metric, metrics)
    _save(figure, out / "summary.png")
    figure, axes = _figure(1)
    if spec.task == "regression":
        _residuals(axes[0], spec, target.astype(np.float64), outputs)
        second = "residuals.png"
    else:
        _reliability(axes[0], target.astype(np.int64), outputs)
        second = "reliability.png"
    _save(figure, out / second)
    return ["summary.png", second]


def _figure(panels: int) -> tuple[Any, list[Any]]:
    from matplotlib.figure import Figure  # not pyplot: no window, no global state

    figure = Figure(figsize=(4.4 * panels, 3.6), dpi=110, layout="constrained")
    axes = [figure.add_subplot(1, panels, number + 1) for number in range(panels)]
    for axis in axes:
        axis.spines[["top", "right"]].set_visible(False)
    return figure, axes


def _save(figure: Any, path: Path) -> None:
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    FigureCanvasAgg(figure).print_png(str(path), metadata={"Software": None})  # type: ignore[no-untyped-call]


def _predicted(axis: Any, spec: ModelSpec, target: npt.NDArray[np.float64], outputs: Outputs) -> None:
    rows = np.arange(len(target))[:: max(1, -(-len(target) // _MAX_POINTS))]
    prediction = outputs["prediction"][rows]
    if "lower" in outputs:
        axis.vlines(
            target[rows], outputs["lower"][rows], outputs["upper"][rows], color=_QUIET, linewidth=0.6, alpha=0.5
        )
    axis.scatter(target[rows], prediction, s=9, color=_CANDIDATE, zorder=3)
    ends = [float(target.min()), float(target.max())]
    axis.plot(ends, ends, color=_INK, linewidth=1)
    unit = f" ({spec.target.unit})" if spec.target.unit else ""
    axis.set(
        xlabel=f"{spec.target.name}{unit}", ylabel="predicted, with interval", title=f"{len(target)} held-out rows"
    )


def _confusion(axis: Any, spec: ModelSpec, target: npt.NDArray[np.int64], outputs: Outputs) -> None:
    n_classes = len(spec.classes)
    labels = np.argmax(outputs["probabilities"], axis=1)
    counts = np.bincount(target * n_classes + labels, minlength=n_classes**2).reshape(n_classes, n_classes)
    axis.imshow(counts, cmap="Blues")
    for row in range(n_classes):
        for column in range(n_classes):
            shade = "white" if counts[row, column] > counts.max() / 2 else _INK
            axis.text(column, row, str(counts[row, column]), ha="center", va="center", color=shade, fontsize=8)
    axis.set_xticks(range(n_classes), spec.classes, rotation=30, ha="right", fontsize=8)
    axis.set_yticks(range(n_classes), spec.classes, fontsize=8)
    axis.set(xlabel="predicted", ylabel=spec.target.name, title=f"{len(target)} held-out rows")


def _compared(axis: Any, metric: str, metrics: Mapping[str, Mapping[str, float]]) -> None:
    for place, (name, color) in enumerate((("candidate", _CANDIDATE), ("champion", _CHAMPION))):
        if name in metrics:
            found = metrics[name]
            axis.plot([found["low"], found["high"]], [place, place], color=color, linewidth=3, solid_capstyle="round")
            axis.plot([found["value"]], [place], "o", color=color, markersize=8)
    axis.set_yticks(
        [0, 1] if "champion" in metrics else [0], ["candidate", "champion"] if "champion" in metrics else ["candidate"]
    )
    axis.set_ylim(1.6, -0.6)
    axis.set(
        xlabel=f"{metric}, with its interval",
        title="against the champion" if "champion" in metrics else "no champion yet",
    )


def _residuals(axis: Any, spec: ModelSpec, target: npt.NDArray[np.float64], outputs: Outputs) -> None:
    axis.hist(target - outputs["prediction"], bins=30, color=_CANDIDATE)
    axis.axvline(0, color=_INK, linewidth=1)
    unit = f" ({spec.target.unit})" if spec.target.unit else ""
    axis.set(xlabel=f"{spec.target.name} - prediction{unit}", ylabel="held-out rows", title="errors")


def _reliability(axis: Any, target: npt.NDArray[np.int64], outputs: Outputs) -> None:
    confidence = outputs["probabilities"].max(axis=1).astype(np.float64)
    right = np.argmax(outputs["probabilities"], axis=1) == target
    bins = np.minimum((confidence * ECE_BINS).astype(np.int64), ECE_BINS - 1)
    axis.plot([0, 1], [0, 1], color=_QUIET, linewidth=1)
    filled = np.unique(bins)
    axis.plot(
        [confidence[bins == b].mean() for b in filled],
        [right[bins == b].mean() for b in filled],
        "o-",
        color=_CANDIDATE,
    )
    axis.set(xlabel="confidence", ylabel="share that was right", xlim=(0, 1.02), ylim=(0, 1.02), title="calibration")
