"""One check's section of the report: its verdict, counts, window and method, and each finding with its histograms."""

from collections.abc import Sequence

from services.drift.entry import Entry
from services.drift.histogram import histogram
from services.drift.judgement import Finding, State
from services.drift.markup import Element, element
from services.drift.words import APART, CHECKS, LEGENDS, STATES, VERDICTS, chance, clock, length, number, window

# Pictures drawn openly and behind "all others": a page of 784 features would hold nobody's attention.
_OPEN = 8
_FOLDED = 6
_MAX_TABLE = 100


def section(entry: Entry, *, reason: bool) -> Element:
    """A check as a person reads it; without its `reason` where the page's head tells it."""
    judgement = entry.judgement
    badge = element("span", VERDICTS[judgement.verdict].sign, class_=f"badge {judgement.verdict.value}")
    parts = [element("h2", CHECKS[entry.check], " ", badge)]
    if reason:
        parts.append(element("p", judgement.reason))
    parts.append(_facts(entry))
    if judgement.warnings:
        parts.append(element("ul", *[element("li", text) for text in judgement.warnings], class_="warnings"))
    notable = [finding for finding in judgement.findings if finding.state is not State.STEADY]
    steady = [finding for finding in judgement.findings if finding.state is State.STEADY]
    parts += [_figure(finding, entry.check) for finding in notable[:_OPEN]]
    if len(notable) > _OPEN:
        parts.append(element("h3", f"{len(notable) - _OPEN} more that moved"))
        parts.append(_table(notable[_OPEN:]))
    if steady:
        drawn = [_figure(finding, entry.check) for finding in steady[:_FOLDED] if finding.histogram is not None]
        words = f"{len(steady)} as expected" if notable else f"All {len(steady)} as expected"
        parts.append(element("details", element("summary", words), _table(steady), *drawn))
    lines = [*judgement.method, *[f"{_words(name)}: {number(value)}" for name, value in judgement.numbers.items()]]
    if lines:
        told = element("ul", *[element("li", line) for line in lines], class_="methods")
        parts.append(element("details", element("summary", "How it was judged"), told))
    return element("section", *parts)


def _facts(entry: Entry) -> Element:
    judgement = entry.judgement
    rows = judgement.rows
    facts = []
    for name in [name for name in rows if not name.endswith("_distinct")]:
        distinct = f" ({rows[f'{name}_distinct']:,} distinct)" if f"{name}_distinct" in rows else ""
        facts.append((f"{_words(name)} rows", f"{rows[name]:,}{distinct}"))
    facts.append((f"window of at most {length(entry.window_seconds)}", window(judgement.begin, judgement.end)))
    facts.append(("judged", f"{clock(entry.at)}, in {length(entry.seconds)}"))
    return element(
        "dl", *[element("div", element("dt", name), element("dd", value)) for name, value in facts], class_="facts"
    )


def _words(name: str) -> str:
    return name.replace("_", " ")


def _figure(finding: Finding, check: str) -> Element:
    unit = f" in {finding.unit}" if finding.unit else ""
    parts = [
        element("h3", f"{finding.name}{unit} ", _badge(finding)),
        element("p", finding.text),
        element("p", _measure(finding), class_="note"),
    ]
    if finding.histogram is not None:
        expected, observed = APART if finding.state is State.APART else LEGENDS[check]
        parts.append(histogram(finding.histogram, expected=expected, observed=observed))
    return element("div", *parts)


def _measure(finding: Finding) -> str:
    return (
        f"{finding.method}: distance {number(finding.distance)}, limit {number(finding.limit)}; "
        f"probability by chance {chance(finding.p_value)}, limit {chance(finding.level)}"
    )


def _badge(finding: Finding) -> Element:
    return element("span", STATES[finding.state], class_=f"badge {finding.state.value}")


def _table(findings: Sequence[Finding]) -> Element:
    """Findings without pictures."""
    names = ("name", "distance", "limit", "by chance", "")
    head = element("tr", *[element("th", name, scope="col", **_aligned(index)) for index, name in enumerate(names)])
    rows = []
    for finding in findings[:_MAX_TABLE]:
        cells: tuple[str | Element, ...] = (
            finding.name, number(finding.distance), number(finding.limit), chance(finding.p_value), _badge(finding),
        )  # fmt: skip
        rows.append(element("tr", *[element("td", cell, **_aligned(index)) for index, cell in enumerate(cells)]))
    if len(findings) > _MAX_TABLE:
        text = f"and {len(findings) - _MAX_TABLE} more"
        rows.append(element("tr", element("td", text, colspan=str(len(names)))))
    return element("div", element("table", element("thead", head), element("tbody", *rows)), class_="wide")


def _aligned(column: int) -> dict[str, str]:
    return {"class_": "number"} if 1 <= column <= 3 else {}
