"""The report's two charts: the timeline and the metrics by version.

Each row is an HTML list item (so that names wrap and screen readers read them) with one SVG whose x positions are
percentages: it fills whatever width there is without scaling its strokes, at 390 px as at 1,280.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from itertools import groupby

from pipelines.report_page.events import Stage, VersionMetrics
from pipelines.report_page.markup import Markup, element, join

WORDS = {
    "ok": "✓ done",
    "stopped": "■ stopped",
    "failed": "✕ failed",
    "skipped": "○ skipped",
    "pass": "✓ pass",
    "fail": "✕ fail",
    "inconclusive": "? inconclusive",
    "promoted": "✓ promoted",
    "aborted": "✕ aborted",
    "paused": "? paused",
}


def badge(word: str) -> Markup:
    """A verdict or status as a sign and a word, so that nobody depends on its colour."""
    kind = word if word in WORDS else "other"
    return element("span", WORDS.get(word, word), class_=f"badge {kind}")


def duration(seconds: float) -> str:
    """A duration as a person reads it: `0.4 s`, `12 s`, `2 min 05 s`."""
    if seconds < 9.95:
        return f"{seconds:.1f} s"
    whole = round(seconds)
    return f"{whole} s" if whole < 60 else f"{whole // 60} min {whole % 60:02d} s"


def ticks(low: float, high: float, *, about: int = 5) -> list[float]:
    """Round numbers within [low, high], about as many as asked: steps of 1, 2 or 5 times a power of ten."""
    if not high > low:
        return [low]
    raw = (high - low) / about
    power = 10.0 ** math.floor(math.log10(raw))
    step = next(m * power for m in (1, 2, 5, 10) if m * power >= raw)
    first = math.ceil(low / step - 1e-9)
    return [n * step for n in range(first, math.floor(high / step + 1e-9) + 1)]


def number(value: float) -> str:
    """Four significant digits without an exponent where that is readable."""
    return f"{value:,.4g}" if 1e-4 <= abs(value) < 1e5 or value == 0 else f"{value:.3e}"


def timeline(stages: tuple[Stage, ...], total_seconds: float) -> Markup:
    """The demo as bars over time, grouped by scene."""
    end = max([total_seconds, *(s.started_seconds + s.seconds for s in stages)], default=0.0) or 1.0
    marks = [(t / end, duration(t) if t else "0") for t in ticks(0.0, end)]
    grid = _grid(marks)
    groups: list[Markup] = []
    for scene, members in groupby(stages, key=lambda stage: stage.scene):
        rows = [_stage(stage, end, grid) for stage in members]
        heading = [element("h3", scene)] if scene else []
        groups.append(join([*heading, element("ol", join(rows), class_="chart timeline")]))
    return element("div", join([*groups, _axis(marks, "timeline")]), class_="figure")


def _stage(stage: Stage, end: float, grid: Markup) -> Markup:
    """One row of the timeline."""
    bar = element(
        "rect",
        class_=f"bar {stage.status}",
        x=_percent(stage.started_seconds / end),
        y="50%",
        height="14",
        rx="2",
        style=f"width:max(3px,{_percent(stage.seconds / end)})",
    )
    title = f"{stage.name}: {stage.status}, from {duration(stage.started_seconds)}, {duration(stage.seconds)} long"
    ended = badge(stage.status) if stage.status != "ok" else Markup("")
    detail = element("small", stage.detail) if stage.detail else Markup("")
    return element(
        "li",
        element("div", element("span", stage.name), " ", ended, detail, class_="label"),
        element("svg", grid, bar, height="24", role="img", aria_label=title),
        element("div", duration(stage.seconds), class_="value"),
    )


def metrics(rows: tuple[VersionMetrics, ...]) -> Markup:
    """Dot-and-interval plots, one for each model and metric, in the order of their first row."""
    keys = list(dict.fromkeys((row.model, row.metric) for row in rows))
    return join([_metric([r for r in rows if (r.model, r.metric) == key]) for key in keys])


def _metric(rows: list[VersionMetrics]) -> Markup:
    """One plot: its versions over one axis, the champion's value and the gate's limit as lines through all rows."""
    first = rows[0]
    champion = next((r.value for r in reversed(rows) if r.champion and r.measured), None)
    limit = next((r.limit for r in reversed(rows) if r.limit is not None), None)
    drawn = [v for r in rows for v in (r.value, r.low, r.high) if r.measured and v is not None and math.isfinite(v)]
    drawn += [v for v in (champion, limit) if v is not None]
    low, high = (min(drawn), max(drawn)) if drawn else (0.0, 1.0)
    margin = (high - low) * 0.06 or abs(high) * 0.05 or 0.5
    low, high = low - margin, high + margin

    def at(value: float) -> float:
        return (value - low) / (high - low)

    marks = [(at(t), number(t)) for t in ticks(low, high)]
    lines = [_grid(marks)]
    for kind, value in (("champion", champion), ("limit", limit)):
        if value is not None:
            x = _percent(at(value))
            lines.append(element("line", class_=kind, x1=x, x2=x, y1="0", y2="100%"))
    behind = join(lines)
    items = [element("li", *_dot(row, behind, at)) for row in rows]
    better = "lower is better" if first.lower_is_better else "higher is better"
    unit = f" in {first.unit}" if first.unit else ""
    key: list[Markup] = []
    if champion is not None:
        key.append(element("span", f"champion {number(champion)}", class_="key champion"))
    if limit is not None:
        key.append(element("span", f"gate's limit {number(limit)}", class_="key limit"))
    heading = element("h3", f"{first.model}: {first.metric}{unit}")
    note = element("p", f"{better}; dot and 95 % interval on the held-out rows", class_="note")
    legend = element("p", join(key), class_="keys") if key else Markup("")
    body = join([heading, note, legend, element("ol", join(items), class_="chart dots"), _axis(marks, "dots")])
    return element("div", body, class_="figure")


def _dot(row: VersionMetrics, behind: Markup, at: Callable[[float], float]) -> tuple[Markup, Markup, Markup]:
    """Label, picture and numbers of one version."""
    who = element("span", row.version)
    role = element("span", "champion", class_="badge champion") if row.champion else badge(row.verdict)
    label = element("div", who, " ", role, element("small", element("code", row.commit[:10])), class_="label")
    if not row.measured or row.value is None:
        empty = element("svg", behind, height="32", role="img", aria_label=f"{row.version}: no value")
        return label, empty, element("div", "no value", class_="value")
    kind = "champion" if row.champion else row.verdict
    marks: list[Markup] = []
    interval = ""
    if row.low is not None and row.high is not None and math.isfinite(row.low) and math.isfinite(row.high):
        marks.append(
            element(
                "line",
                class_=f"interval {kind}",
                x1=_percent(at(row.low)),
                x2=_percent(at(row.high)),
                y1="50%",
                y2="50%",
            )
        )
        interval = f"{number(row.low)} to {number(row.high)}"
    marks.append(element("circle", class_=f"dot {kind}", cx=_percent(at(row.value)), cy="50%", r="5"))
    title = f"{row.version}: {row.metric} {number(row.value)}" + (f", interval {interval}" if interval else "")
    shown = element("div", element("span", number(row.value)), element("small", interval), class_="value")
    return label, element("svg", behind, *marks, height="32", role="img", aria_label=title), shown


def _grid(marks: list[tuple[float, str]]) -> Markup:
    """Vertical hairlines at the axis' ticks."""
    return join([element("line", class_="grid", x1=_percent(x), x2=_percent(x), y1="0", y2="100%") for x, _ in marks])


def _axis(marks: list[tuple[float, str]], kind: str) -> Markup:
    """The tick labels below a chart; those at the edges keep inside."""
    labels = []
    for x, text in marks:
        anchor = "start" if x < 0.04 else "end" if x > 0.96 else "middle"
        labels.append(element("text", text, x=_percent(x), y="14", text_anchor=anchor))
    return element("div", element("svg", *labels, height="20", aria_hidden="true"), class_=f"axis {kind}")


def _percent(share: float) -> str:
    """A share of the width as SVG wants it."""
    return f"{100 * share:.2f}%"
