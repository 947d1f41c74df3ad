"""The bench as one picture: which strengths pass, by kind, and how soon the others are stopped."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from pipelines.rehearsal.contract import Ending
from pipelines.rehearsal.simulate.figures import Group, Played, strengths

_WIDTH_INCHES, _ROW_INCHES = 8.6, 0.42
_RIGHT, _WAITED, _UNSEEN, _WRONG = "#2a7f62", "#d9a441", "#d8aaa4", "#b8392e"
_INK, _PALE = "#22272e", "#d0d5db"


def draw(rollouts: Sequence[Played], path: Path) -> None:
    """Writes the PNG: a row for each kind, a cell for each strength, coloured by how its rollouts ended."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    rows: dict[str, list[Group]] = {}
    for each in strengths(rollouts):
        rows.setdefault(each.rollouts[0].kind, []).append(each)
    bad = [kind for kind, groups in rows.items() if not groups[0].rollouts[0].good]
    good = [kind for kind in rows if kind not in bad]
    figure = Figure(figsize=(_WIDTH_INCHES, 1.5 + _ROW_INCHES * (len(rows) + 2)), dpi=200, facecolor="white")
    FigureCanvasAgg(figure)
    cells, times = figure.subplots(1, 2, width_ratios=(3.6, 1), gridspec_kw={"wspace": 0.04})
    y = 0.0
    labels: list[tuple[float, str]] = []
    for title, kinds in (("bad, weak to strong", bad), ("good", good)):
        cells.text(-0.19, y, title, fontsize=8.5, fontweight="bold", color=_INK, va="center", ha="left")
        y += 0.8
        for kind in kinds:
            labels.append((y, kind))
            _row(cells, y, rows[kind])
            _times(times, y, [each for part in rows[kind] for each in part.rollouts], good=title == "good")
            y += 1
    _finish(cells, times, labels, y)
    path.parent.mkdir(parents=True, exist_ok=True)
    figure.savefig(path, bbox_inches="tight", pad_inches=0.08)


def _row(axis: Any, y: float, groups: Sequence[Group]) -> None:
    width = 1 / max(6, len(groups))
    for index, each in enumerate(groups):
        x, first, whole = index * width, each.rollouts[0], each.claimed == len(each.rollouts)
        left = x
        for colour, rollouts in _coloured(each).items():
            part = len(rollouts) / len(each.rollouts) * width * 0.96
            axis.barh(y + 0.3, part, height=0.22, left=left, color=colour)
            left += part
        axis.text(
            x + width * 0.48, y - 0.08, first.strength, fontsize=6.6, ha="center", va="center", color=_INK,
            fontweight="bold" if whole else "normal",
        )  # fmt: skip


def _coloured(of: Group) -> dict[str, list[Played]]:
    """The rollouts by what is to be thought of their ending."""
    found: dict[str, list[Played]] = {_RIGHT: [], _WAITED: [], _UNSEEN: [], _WRONG: []}
    for each in of.rollouts:
        if each.ending is Ending.PAUSED:
            found[_WAITED].append(each)
        elif each.good is (each.ending is Ending.PROMOTED):
            found[_RIGHT].append(each)
        else:
            found[_WRONG if each.good or each.claimed else _UNSEEN].append(each)
    return found


def _times(axis: Any, y: float, rollouts: Sequence[Played], *, good: bool) -> None:
    ending = Ending.PROMOTED if good else Ending.ABORTED
    seconds = [each.seconds for each in rollouts if each.ending is ending and (good or each.claimed)]
    if not seconds:
        return
    axis.boxplot(
        [seconds], positions=[y + 0.1], widths=0.45, orientation="horizontal", whis=(5, 95), showfliers=False,
        manage_ticks=False, patch_artist=True, medianprops={"color": "white", "linewidth": 1.4},
        boxprops={"facecolor": "#7a8794", "edgecolor": "#7a8794"},
        whiskerprops={"color": "#7a8794"}, capprops={"color": "#7a8794"},
    )  # fmt: skip


def _finish(cells: Any, times: Any, labels: Sequence[tuple[float, str]], bottom: float) -> None:
    from matplotlib.patches import Patch

    for axis in (cells, times):
        axis.set_ylim(bottom - 0.3, -0.4)
        for side in ("top", "right", "left", "bottom"):
            axis.spines[side].set_visible(False)
    cells.set_xlim(0, 1)
    cells.set_xticks([])
    cells.set_yticks([at + 0.1 for at, _ in labels], [name for _, name in labels], fontsize=8, color=_INK)
    cells.tick_params(length=0)
    times.set_xscale("log")
    times.set_yticks([])
    times.set_xlim(8, 7200)
    times.set_xticks([10, 60, 600, 3600], ["10 s", "1 min", "10 min", "1 h"], fontsize=7.5, color=_INK)
    times.minorticks_off()
    times.grid(axis="x", color=_PALE, linewidth=0.6)
    times.set_axisbelow(True)
    times.set_title("time to abort what is\nclaimed, or to promote", fontsize=7.5, color=_INK, loc="right")
    handles = [
        Patch(color=_RIGHT, label="as it should"),
        Patch(color=_WAITED, label="waits for a person"),
        Patch(color=_UNSEEN, label="promoted, weaker than claimed"),
        Patch(color=_WRONG, label="wrong: claimed, or good and aborted"),
    ]
    cells.legend(
        handles=handles, loc="lower left", bbox_to_anchor=(-0.2, 1.0), ncols=4, fontsize=7, frameon=False,
        handlelength=1, columnspacing=1.2, title_fontsize=7,
        title="bold: gates.yaml claims to stop it", alignment="left",
    )  # fmt: skip
