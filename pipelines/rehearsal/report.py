"""The rehearsal as one HTML file that works offline: how it ended, its timeline, its gates, what was compared."""

from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from models.files import write_synced
from pipelines.rehearsal.record import Distance, Gate, Rehearsal, Version
from pipelines.rehearsal.strips import strips
from pipelines.rehearsal.summary import repeat, title
from pipelines.report import POLICY
from pipelines.report_page.charts import WORDS, badge, duration, number
from pipelines.report_page.markup import Markup, element, join

_SHOWN_DISTANCES = 12


def write(rehearsal: Rehearsal, path: Path) -> None:
    """Writes the page."""
    path.parent.mkdir(parents=True, exist_ok=True)
    write_synced(path, page(rehearsal).encode())


def page(rehearsal: Rehearsal) -> str:
    """The report as text; the same rehearsal gives the same bytes."""
    parts = [
        ("timeline", "Timeline", "The numbers are the steps below.", strips(rehearsal) if rehearsal.points else None),
        ("steps", "Steps", "As the overlay's Rollout has them, with the rehearsal's short waits.", _steps(rehearsal)),
        ("gates", "Gates", "Inconclusive is not a pass: the rollout waits for a person.", _gates(rehearsal.gates)),
        ("drift", "What the judge saw", "The farthest first, at its last look.", _distances(rehearsal.distances)),
        ("compared", "What was compared", "", _compared(rehearsal)),
        ("repeat", "Rehearse it again", "", element("pre", element("code", repeat(rehearsal)), tabindex="0")),
    ]
    bodies = [_section(name, heading, note, body) for name, heading, note, body in parts if body is not None]
    style = "".join(
        files(package).joinpath(name).read_text(encoding="utf-8")
        for package, name in (("pipelines.report_page", "page.css"), ("pipelines.rehearsal", "report.css"))
    )
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", f"Rehearsal: {title(rehearsal)}"),
        element("style", Markup(style)),
    )
    body = element("body", _header(rehearsal), element("main", join(bodies)))
    return "<!doctype html>\n" + element("html", head, body, lang="en") + "\n"


def _section(name: str, heading: str, note: str, body: Markup) -> Markup:
    said = element("p", note, class_="note") if note else Markup("")
    return element("section", element("h2", heading, id=f"{name}-title"), said, body, aria_labelledby=f"{name}-title")


def _header(rehearsal: Rehearsal) -> Markup:
    kind = {"promoted": "good", "aborted": "bad"}.get(rehearsal.ending, "doubt")
    facts = [("walked in", duration(rehearsal.seconds)), ("gates asked", str(len(rehearsal.gates)))]
    if (traffic := rehearsal.traffic) is not None:
        sent, failed = traffic.sent.get("candidate", 0), traffic.errors.get("candidate", 0)
        facts += [("requests", f"{sum(traffic.sent.values()):,}"), ("of them to the candidate", f"{sent:,}")]
        facts += [("failed there", f"{failed:,}")]
    pairs = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    return element(
        "header",
        element("p", f"Mainline · rehearsal of a {rehearsal.strategy} rollout", class_="eyebrow"),
        element("h1", title(rehearsal), class_=kind),
        element("p", rehearsal.reason, class_="summary"),
        *(element("p", note, class_="note") for note in rehearsal.notes),
        element("dl", join(pairs), class_="facts"),
        element("p", element("time", _clock(rehearsal.started), datetime=rehearsal.started), class_="note"),
    )


def _clock(moment: str) -> str:
    return datetime.fromisoformat(moment).astimezone(UTC).strftime("%Y-%m-%d %H:%M UTC")


def _steps(rehearsal: Rehearsal) -> Markup | None:
    marks = [mark for mark in rehearsal.marks if mark.kind == "step"]
    if not marks:
        return None
    ends = [*(mark.time for mark in marks[1:]), rehearsal.seconds]
    items = []
    for mark, end in zip(marks, ends, strict=True):
        ended_here = mark is marks[-1] and rehearsal.ending != "promoted"
        word = badge("fail" if rehearsal.ending == "aborted" else "inconclusive") if ended_here else Markup("")
        told = element("span", f"{mark.step + 1}. {mark.label}")
        items.append(
            element("li", told, " ", word, element("span", duration(max(0.0, end - mark.time)), class_="value"))
        )
    return element("ol", join(items), class_="steps")


def _gates(gates: tuple[Gate, ...]) -> Markup | None:
    if not gates:
        return None
    titles = ("Gate", "Verdict", "Value", "Rule", "Asked")
    head = element("thead", element("tr", *(element("th", word, scope="col") for word in titles)))
    rows = [_gate(gate) for gate in gates]
    table = element("table", head, element("tbody", join(rows)))
    return element("div", table, class_="run scroll", role="region", tabindex="0", aria_label="Gates")


def _gate(gate: Gate) -> Markup:
    times = "once" if gate.measurements == 1 else f"{gate.measurements} times"
    said = [element("small", gate.reason)] if gate.reason else []
    if gate.link:
        said.append(element("small", element("a", "the judge's report", href=gate.link)))
    verdict = badge(gate.verdict) if gate.verdict in WORDS else element("span", gate.verdict, class_="badge other")
    return element(
        "tr",
        element("th", gate.name, element("small", gate.where), scope="row"),
        element("td", verdict, class_="verdict"),
        element("td", gate.value, class_="number", data_name="value"),
        element("td", gate.rule, *said, class_="number", data_name="rule"),
        element("td", f"{times}, last at {duration(gate.seconds)}", class_="reason"),
        class_="closed" if gate.decided and gate.verdict != "pass" else None,
    )


def _distances(distances: tuple[Distance, ...]) -> Markup | None:
    """The last look's features and outputs as bars against their limits."""
    last = {gate: max(each.time for each in distances if each.gate == gate) for gate in {d.gate for d in distances}}
    shown = [each for each in distances if each.time == last[each.gate] and each.share is not None]
    shown.sort(key=lambda each: each.share or 0.0, reverse=True)
    if not shown:
        return None
    return element("ol", join([_distance(each) for each in shown[:_SHOWN_DISTANCES]]), class_="bars")


def _distance(each: Distance) -> Markup:
    share = each.share or 0.0
    over = each.state in ("own", "apart")
    p = f", p {number(each.p_value)}" if each.p_value is not None else ""
    told = f"{number(each.distance or 0.0)} of {number(each.limit or 0.0)}{p}"
    bar = element("div", class_=f"fill {'over' if over else each.state}", style=f"width:{min(100.0, 50 * share):.1f}%")
    return element(
        "li",
        element("div", element("span", each.name), element("small", each.gate), class_="label"),
        element("div", bar, class_="track", role="img", aria_label=each.text or told),
        element("div", told, class_="value"),
    )


def _compared(rehearsal: Rehearsal) -> Markup:
    def rows(name: str, version: Version) -> list[tuple[str, str]]:
        return [
            (f"{name}", f"version {version.version} at {version.ref} ({version.commit[:12]})"),
            (f"{name}'s digest", version.digest),
            (f"{name}'s pod template", version.hash),
        ]

    pairs = rows("stable", rehearsal.base) if rehearsal.strategy != "first" else []
    pairs += rows("candidate", rehearsal.head)
    if (traffic := rehearsal.traffic) is not None:
        pairs.append(("traffic", f"{traffic.source}; {traffic.rate:g} requests a second, seed {traffic.seed}"))
    if rehearsal.prometheus:
        pairs.append(("measured by", f"Prometheus {rehearsal.prometheus}"))
    items = [element("li", element("span", name, class_="what"), element("code", value)) for name, value in pairs]
    return element("ol", join(items), class_="walk")
