"""Two histograms over the same bars, as one SVG that fills its width: expected as grey, observed as outlined bars.

Positions are percentages, so that strokes and text keep their size at any width.
"""

from services.drift.judgement import Histogram
from services.drift.markup import Element, element

_HEIGHT = 150
_MAX_LABELS = 6
_MAX_LABEL = 14


def histogram(drawn: Histogram, *, expected: str, observed: str) -> Element:
    """A figure with its legend and axis; `expected` and `observed` say what the bars are."""
    n_bars = len(drawn.bars)
    top = max((*drawn.expected, *drawn.observed, 1e-9))
    width = 100 / max(n_bars, 1)
    shapes: list[Element] = []
    for index, label in enumerate(drawn.bars):
        until = f" to {drawn.bars[index + 1]}" if _is_number(label) and index + 1 < n_bars else ""
        told = f"{label}{until}: {drawn.expected[index]:.1%} expected, {drawn.observed[index]:.1%} observed"
        shapes.append(_bar("expected", index + 0.06, 0.88, width, drawn.expected[index] / top))
        shapes.append(_bar("observed", index + 0.2, 0.6, width, drawn.observed[index] / top, told))
    title = f"Shares of values: {expected} against {observed}"
    picture = element("svg", *shapes, class_="bars", height=str(_HEIGHT), role="img", aria_label=title)
    legend = element(
        "p",
        element("span", expected, class_="key expected"),
        element("span", observed, class_="key observed"),
        element("span", f"highest bar {top:.0%}", class_="key none"),
        class_="keys",
    )
    return element("div", legend, picture, _axis(drawn.bars, width), class_="histogram")


def _bar(kind: str, left: float, wide: float, width: float, share: float, title: str = "") -> Element:
    """One bar; `left` and `wide` in bars, `share` of the height."""
    place = {"x": f"{left * width:.2f}%", "width": f"{wide * width:.2f}%"}
    place |= {"y": f"{100 * (1 - share):.1f}%", "height": f"{100 * share:.1f}%"}
    return element("rect", *([element("title", title)] if title else []), class_=kind, **place)


def _axis(bars: tuple[str, ...], width: float) -> Element:
    """A few labels under the bars: a number under its bar's left edge, a category under the middle."""
    step = max(1, -(-len(bars) // _MAX_LABELS))
    labels = []
    for index in range(0, len(bars), step):
        number = _is_number(bars[index])
        x = (index if number else index + 0.5) * width
        anchor = "start" if x < 3 else "end" if x > 97 else "middle"
        labels.append(element("text", _short(bars[index]), x=f"{x:.2f}%", y="14", text_anchor=anchor))
    return element("svg", *labels, class_="axis", height="20", aria_hidden="true")


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


def _short(text: str) -> str:
    return text if len(text) <= _MAX_LABEL else f"{text[: _MAX_LABEL - 1]}…"
