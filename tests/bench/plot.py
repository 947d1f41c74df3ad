"""The bench as one picture: in each cell every server's rate by that of the best peer in JSON, as a logarithm."""

import statistics
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from tests.bench.cells import CELLS, Cell, Seen
from tests.bench.report import by_server
from tests.bench.targets import Encoding, Role

# Name of a server, its role, an encoding.
Key = tuple[str, Role, str]
_OURS, _INK, _PALE = "#2a7f62", "#22272e", "#d0d5db"
_PEERS = ("#b8392e", "#d9a441", "#7a5ea8", "#4a7fb5", "#8a6d5a", "#c77a9b")
_WIDTH_INCHES, _ROW_INCHES = 8.6, 0.42
_TITLES = {
    "forest": "forest, iris",
    "logistic": "logistic regression, 30 columns",
    "deepforest": "deep forest, 64 columns",
}


def ratios(seen: Seen, cell: Cell) -> Mapping[Key, float]:
    """Median rate of each server, in its best way of each encoding, by that of the best peer in JSON.

    Empty where no peer was measured.
    """
    rates: dict[Key, float] = {}
    for mine in by_server([each for each in seen.cells if each.cell == cell]).values():
        key = mine[0].target, mine[0].role, mine[0].encoding
        rates[key] = max(rates.get(key, 0.0), statistics.median(each.rate for each in mine))
    peers = [rate for (_, role, encoding), rate in rates.items() if role is Role.PEER and encoding == Encoding.JSON]
    base = max(peers, default=0.0)
    return {key: rate / base for key, rate in rates.items() if rate} if base else {}


def draw(seen: Seen, about: Mapping[str, object], path: Path) -> None:
    """Writes the PNG. A cell without a peer is left out."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows = [(cell, found) for cell in CELLS if (found := ratios(seen, cell))]
    peers = list(dict.fromkeys(name for _, found in rows for name, role, _ in found if role is Role.PEER))
    colours = dict(zip(peers, _PEERS, strict=False))
    figure = Figure(figsize=(_WIDTH_INCHES, 1.4 + _ROW_INCHES * max(1, len(rows))), dpi=200, facecolor="white")
    FigureCanvasAgg(figure)
    axis: Any = figure.subplots()
    for y, (_, found) in enumerate(rows):
        axis.axhline(y, color=_PALE, linewidth=0.6, zorder=0)
        for (name, role, encoding), ratio in found.items():
            _mark(axis, y, ratio, role, colours.get(name, _INK), binary=encoding == Encoding.BINARY)
    _finish(axis, [_title(cell) for cell, _ in rows], colours, about)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches="tight", pad_inches=0.08)


def _mark(axis: Any, y: float, ratio: float, role: Role, colour: str, *, binary: bool) -> None:
    if role is Role.LIMIT:
        axis.plot([ratio], [y], marker="|", markersize=15, markeredgewidth=2, color=_INK)
        return
    ours = role is Role.OURS
    axis.plot(
        [ratio], [y], marker="D" if binary else "o", markersize=8 if ours else 5.5, color=_OURS if ours else colour,
        alpha=1.0 if ours else 0.85, linestyle="none",
    )  # fmt: skip
    if ours:
        axis.annotate(
            f"{ratio:.2g} x", (ratio, y), xytext=(0, -13 if binary else 8), textcoords="offset points", fontsize=7,
            color=_OURS, ha="center", fontweight="bold",
        )  # fmt: skip


def _finish(axis: Any, titles: Sequence[str], colours: Mapping[str, str], about: Mapping[str, object]) -> None:
    from matplotlib.lines import Line2D

    axis.set_xscale("log")
    axis.set_ylim(len(titles) - 0.4, -0.7)
    axis.axvline(1, color="#9aa4ae", linewidth=1, zorder=0)
    axis.set_yticks(range(len(titles)), titles, fontsize=8, color=_INK)
    axis.tick_params(which="both", length=0)
    axis.xaxis.set_major_formatter(lambda value, _: f"{value:g} x")
    axis.tick_params(axis="x", labelsize=7.5, colors=_INK)
    axis.grid(axis="x", color=_PALE, linewidth=0.6)
    axis.set_axisbelow(True)
    for side in ("top", "right", "left", "bottom"):
        axis.spines[side].set_visible(False)
    told = (
        f"requests a second, the best peer in JSON = 1 ({about['date']}, {about['processor']}, one core, closed loop)"
    )
    axis.set_xlabel(told, fontsize=7, color=_INK)
    dot: dict[str, Any] = {"linestyle": "none", "markersize": 6}
    handles = [
        Line2D([], [], marker="o", color=_OURS, label="Mainline", **dot),
        Line2D([], [], marker="|", color=_INK, markeredgewidth=2, label="limit: raw ASGI, no model", **dot),
        *(Line2D([], [], marker="o", color=colour, label=name, **dot) for name, colour in colours.items()),
        Line2D([], [], marker="D", color="#7a8794", label="binary tensors", **dot),
    ]
    axis.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.25, 1.0), ncols=5, fontsize=7, frameon=False,
        handlelength=1, columnspacing=1.2,
    )  # fmt: skip


def _title(cell: Cell) -> str:
    rows = "1 row" if cell.n_rows == 1 else f"{cell.n_rows:,} rows"
    return f"{_TITLES[cell.model]}: {rows}, c={cell.connections}"
