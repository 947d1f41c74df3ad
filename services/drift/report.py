"""The report: one page for a person with a minute. What was decided and why, what moved and how far, what to do.

It loads nothing: style and pictures are inside. Served by the judge, and written to a file by the rehearsal.
"""

from collections.abc import Sequence
from pathlib import Path

from services.drift.entry import Entry
from services.drift.finding import section
from services.drift.markup import Element, document, element
from services.drift.words import VERDICTS, clock, todo

_STYLE = (Path(__file__).parent / "page.css").read_text(encoding="utf-8")


def page(entries: Sequence[Entry]) -> str:
    """The report of one version as HTML.

    Args:
        entries: at least one, the most decisive first.
    """
    first = entries[0]
    verdict = first.judgement.verdict
    party = first.judgement.candidate
    name = f"{first.model} {party.version}" if party is not None else f"{first.model}, pods {first.candidate_hash}"
    name = f"{name} in {first.environment}" if first.environment else name
    body = [
        element("p", "Judged online: ", name, class_="eyebrow"),
        element("h1", VERDICTS[verdict].headline.format(name=name), class_=verdict.value),
        element("p", first.judgement.reason, class_="why"),
        _todo(entries),
        *[section(entry, reason=entry is not first) for entry in entries],
        element("section", *_identities(entries)),
    ]
    return document(title=f"{name}: {verdict.value}", style=_STYLE, body=body)


def index(entries: Sequence[Sequence[Entry]]) -> str:
    """The list of all reports, in the order given."""
    rows = []
    for of_one in entries:
        first = of_one[0]
        link = element("a", first.report, href=f"/reports/{first.report}")
        sign = element("span", VERDICTS[first.judgement.verdict].sign, class_=f"badge {first.judgement.verdict.value}")
        when = element("small", clock(first.at), class_="note")
        rows.append(element("tr", *[element("td", cell) for cell in (link, sign, first.judgement.reason, when)]))
    names = ("version", "verdict", "why", "judged")
    head = element("tr", *[element("th", name, scope="col") for name in names])
    told: Element = element("div", element("table", element("thead", head), element("tbody", *rows)), class_="wide")
    if not rows:
        told = element("p", "Nothing has been judged yet: a rollout's analysis asks, then its report appears here.")
    return document(
        title="The judge's reports",
        style=_STYLE,
        body=[element("p", "mainline", class_="eyebrow"), element("h1", "The judge's reports"), told],
    )


def missing(name: str) -> str:
    """The page where there is no report of this name."""
    text = f"No judgement of {name} is kept: none was made yet, or newer versions took its place."
    return document(
        title="No such report",
        style=_STYLE,
        body=[
            element("h1", "No such report"),
            element("p", text),
            element("p", element("a", "All reports", href="/reports")),
        ],
    )


def _todo(entries: Sequence[Entry]) -> Element:
    steps = todo(entries)
    return element(
        "div",
        element("h2", "What to do"),
        element("ul", *[element("li", step) for step in steps]),
        class_=f"todo {entries[0].judgement.verdict.value}",
    )


def _identities(entries: Sequence[Entry]) -> list[Element]:
    """Which pods and bundles were compared, to be looked up elsewhere."""
    first = entries[0]
    lines = [element("h2", "Who was compared")]
    parties = {"Candidate": (first.judgement.candidate, first.candidate_hash)}
    parties["Stable"] = (first.judgement.stable, first.stable_hash)
    for role, (party, pods) in parties.items():
        text: list[Element | str] = [f"{role}: pods ", element("code", pods)]
        if party is not None:
            text += [f", version {party.version}, bundle ", element("code", party.digest)]
        lines.append(element("p", *text, class_="note"))
    return lines
