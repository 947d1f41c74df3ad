"""The report's strips: one quantity each over the rollout's seconds, with the steps as lines through all of them.

A strip's SVG is stretched to whatever width there is; its words are HTML, so that they stay legible at 390 px.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from pipelines.rehearsal.record import Distance, Mark, Rehearsal
from pipelines.report_page.charts import duration, number, ticks
from pipelines.report_page.markup import Markup, element, join

_HEIGHT = 60.0
# Of the width: two numbers of steps that are nearer than this would overlap at 390 px.
_ROOM = 0.03
Series = Sequence[tuple[float, float | None]]


@dataclass(frozen=True)
class _Strip:
    """One quantity: its lines by class, its limit, how a value is written, and whether the most of it is told."""

    name: str
    note: str
    lines: dict[str, Series]
    write: Callable[[float], str]
    limit: float | None = None
    top: float = 0.0
    dots: bool = False
    stepped: bool = False
    most: bool = True


def strips(rehearsal: Rehearsal) -> Markup:
    """All strips over one axis, and what their colours mean."""
    end = max([rehearsal.seconds, *(p.time for p in rehearsal.points)], default=0.0) or 1.0
    begins = [mark for mark in rehearsal.marks if mark.kind == "step"]
    rows = [_row(strip, begins, end) for strip in _all(rehearsal) if any(_known(line) for line in strip.lines.values())]
    keys = [("candidate", "candidate"), ("stable", "stable"), ("limit", "gate's limit")]
    legend = element("p", join([element("span", word, class_=f"key {kind}") for kind, word in keys]), class_="keys")
    apart = [mark for mark, later in zip(begins, [*begins[1:], None], strict=True) if _apart(mark, later, end)]
    numbers = element("div", join([_number(mark, end) for mark in apart]), class_="numbers", aria_hidden="true")
    body = [legend, element("div", "", numbers, class_="strip head"), *rows, _axis(end)]
    return element("div", join(body), class_="figure strips")


def _all(rehearsal: Rehearsal) -> list[_Strip]:
    points = rehearsal.points
    limits = _limits(rehearsal)
    shares: Series = [(0.0, 0.0), *((p.time, p.share) for p in points)]
    drift: dict[str, Series] = {"candidate": _worst(rehearsal.distances)}
    return [
        _Strip("Traffic to the candidate", "", {"candidate": shares}, _percent, top=1.0, stepped=True, most=False),
        _Strip(
            "Requests",
            "a second, as callers sent them",
            {
                "stable": [(p.time, float(p.stable_requests)) for p in points],
                "candidate": [(p.time, float(p.requests)) for p in points],
            },
            number,
            most=False,
        ),
        _Strip(
            "Failed",
            "share of a second's requests",
            {
                "stable": [(p.time, p.stable_error_ratio) for p in points],
                "candidate": [(p.time, p.error_ratio) for p in points],
            },
            _percent,
            limit=limits.get("error-ratio"),
            top=0.01,
        ),
        _Strip(
            "Latency, p99",
            "of a second's requests, from when they were due",
            {
                "stable": [(p.time, p.stable_p99_seconds) for p in points],
                "candidate": [(p.time, p.p99_seconds) for p in points],
            },
            _milliseconds,
            limit=limits.get("latency"),
        ),
        _Strip(
            "Memory of the candidate",
            "",
            {"candidate": [(p.time, p.memory_bytes) for p in points]},
            lambda value: f"{value / 2**20:.0f} MiB",
        ),
        _Strip(
            "Drift and shift",
            "the judge's worst distance, in parts of its limit",
            {"candidate": drift["candidate"]},
            lambda value: f"{value:.2f}",
            limit=1.0,
            top=1.2,
            dots=True,
        ),
    ]


def _limits(rehearsal: Rehearsal) -> dict[str, float]:
    """The number that a gate's rule ends with, by template, of the rules that have one."""
    found: dict[str, float] = {}
    for gate in rehearsal.gates:
        words = gate.rule.split()
        if gate.name == gate.template or gate.template == "latency":
            try:
                found.setdefault(gate.template, float(words[-1]))
            except (IndexError, ValueError):
                continue
    return found


def _worst(distances: Sequence[Distance]) -> Series:
    """In each second, the largest distance by its limit."""
    times: dict[float, float] = {}
    for each in distances:
        if each.share is not None:
            second = float(round(each.time))
            times[second] = max(times.get(second, 0.0), each.share)
    return sorted(times.items())


def _row(strip: _Strip, begins: Sequence[Mark], end: float) -> Markup:
    values = [v for line in strip.lines.values() for v in _known(line)]
    top = max([strip.top, *values, *([strip.limit * 1.15] if strip.limit else [])]) * 1.05 or 1.0
    shapes = [_vertical(mark.time / end) for mark in begins]
    if strip.limit is not None:
        y = _y(strip.limit / top)
        shapes.append(element("line", class_="limit", x1="0", x2="1000", y1=y, y2=y))
    for kind, line in strip.lines.items():
        shapes += _shapes(line, kind, end, top, strip)
    seen = _known(strip.lines["candidate"])
    told = (f"up to {strip.write(max(seen))}" if strip.most else strip.write(seen[-1])) if seen else ""
    picture = element(
        "svg",
        *shapes,
        viewBox=f"0 0 1000 {_HEIGHT:g}",
        preserveAspectRatio="none",
        role="img",
        aria_label=f"{strip.name} {told}",
    )
    note = element("small", strip.note) if strip.note else Markup("")
    return element(
        "div",
        element("div", element("span", strip.name), note, class_="label"),
        element("div", picture, element("span", strip.write(top / 1.05), class_="top"), class_="plot"),
        element("div", told, class_="value"),
        class_="strip",
    )


def _shapes(line: Series, kind: str, end: float, top: float, strip: _Strip) -> list[Markup]:
    """A line, broken where nothing was seen; or a dot for each value."""
    if strip.dots:
        # a line of no length with round ends: a circle would be stretched with the picture
        return [
            element("polyline", class_=f"dot {kind}", points=f"{_x(t / end)},{_y(v / top)} {_x(t / end)},{_y(v / top)}")
            for t, v in line
            if v is not None
        ]
    parts: list[list[str]] = [[]]
    before: float | None = None
    for t, v in line:
        if v is None:
            parts.append([])
            before = None
            continue
        if strip.stepped and before is not None:
            parts[-1].append(f"{_x(t / end)},{_y(before / top)}")
        parts[-1].append(f"{_x(t / end)},{_y(v / top)}")
        before = v
    return [element("polyline", class_=f"line {kind}", points=" ".join(part)) for part in parts if part]


def _apart(mark: Mark, later: Mark | None, end: float) -> bool:
    """Whether there is room for a step's number before the next one's."""
    return later is None or (later.time - mark.time) / end > _ROOM


def _number(mark: Mark, end: float) -> Markup:
    return element("span", str(mark.step + 1), style=f"left:{100 * mark.time / end:.2f}%", title=mark.label)


def _axis(end: float) -> Markup:
    marks = ticks(0.0, end)
    labels = [
        element("span", duration(t) if t else "0", style=f"left:{100 * t / end:.2f}%") for t in marks if t < 0.97 * end
    ]
    return element("div", element("div", join(labels), class_="plot"), class_="strip seconds", aria_hidden="true")


def _vertical(share: float) -> Markup:
    return element("line", class_="grid", x1=_x(share), x2=_x(share), y1="0", y2=f"{_HEIGHT:g}")


def _known(line: Series) -> list[float]:
    return [v for _, v in line if v is not None]


def _x(share: float) -> str:
    return f"{1000 * share:.1f}"


def _y(share: float) -> str:
    return f"{_HEIGHT - 1.5 - (_HEIGHT - 3) * min(share, 1.0):.1f}"


def _percent(value: float) -> str:
    return f"{100 * value:.3g} %"


def _milliseconds(value: float) -> str:
    return f"{1000 * value:.3g} ms"
