"""The report's sections besides its charts: header, gates, what was stopped, lineage, commands."""

from __future__ import annotations

from datetime import UTC

from pipelines.report_page.charts import badge, duration
from pipelines.report_page.events import Command, Demo, GateRow, LineageStep, Rehearsed, Stopped
from pipelines.report_page.markup import Markup, element, join


def header(demo: Demo) -> Markup:
    """The outcome in one sentence and the few numbers that support it."""
    candidates = [m for m in demo.metrics if not m.champion]
    refused = len({(m.model, m.version, m.commit) for m in candidates if m.verdict == "fail"}) or len(demo.stopped)
    facts = [
        ("took", duration(demo.seconds)),
        ("stages", str(len(demo.stages))),
        ("runs judged", str(len({row.run for row in demo.gates}))),
        ("gates evaluated", str(len(demo.gates))),
        ("stopped", str(len(demo.stopped) or refused)),
    ]
    pairs = [element("div", element("dt", name), element("dd", value)) for name, value in facts]
    when = demo.started.astimezone(UTC)
    at = element("time", when.strftime("%Y-%m-%d %H:%M UTC"), datetime=when.isoformat(timespec="seconds"))
    commit = Markup("")
    if demo.commit:
        commit = Markup(" · commit " + element("code", demo.commit[:10]))
    return element(
        "header",
        element("p", "Mainline · the loop on one machine", class_="eyebrow"),
        element("h1", demo.outcome, class_="good" if demo.succeeded else "bad"),
        element("p", demo.summary, class_="summary") if demo.summary else Markup(""),
        element("dl", join(pairs), class_="facts"),
        element("p", at, commit, class_="note"),
    )


def gates(rows: tuple[GateRow, ...]) -> Markup:
    """One verdict table for each run, in the order the runs were judged."""
    runs = list(dict.fromkeys(row.run for row in rows))
    return join([_run(run, [row for row in rows if row.run == run]) for run in runs])


def _run(run: str, rows: list[GateRow]) -> Markup:
    """A run's table; folded unless something in it needs a reader."""
    verdicts = [row.verdict for row in rows]
    overall = next((v for v in ("fail", "inconclusive") if v in verdicts), "pass")
    closed = [row.gate for row in rows if row.verdict != "pass"]
    note = f"{len(rows)} gates" + (f"; not passed: {', '.join(closed)}" if closed else ", all passed")
    head = element(
        "thead", element("tr", *(element("th", n, scope="col") for n in ("Gate", "Verdict", "Value", "Rule", "Reason")))
    )
    lines = [
        element(
            "tr",
            element("th", row.gate, scope="row"),
            element("td", badge(row.verdict), class_="verdict"),
            element("td", row.value, class_="number", data_name="value"),
            element("td", row.rule, class_="number", data_name="rule"),
            element("td", row.reason, class_="reason"),
            class_=None if row.verdict == "pass" else "closed",
        )
        for row in rows
    ]
    table = element("table", head, element("tbody", join(lines)))
    scroll = element("div", table, class_="scroll", role="region", tabindex="0", aria_label=f"Gates of {run}")
    summary = element("summary", element("strong", run), " ", badge(overall), " ", element("span", note, class_="note"))
    opened: dict[str, str | int | None] = {"open": "open"} if overall != "pass" or len(rows) <= 6 else {}
    return element("details", summary, scroll, class_="run", **opened)


def stopped(rows: tuple[Stopped, ...]) -> Markup:
    """What was tried and kept out, with the gate that closed."""
    cards = []
    for row in rows:
        named = (("commit", row.commit[:10]), ("run", row.run))
        origin = " · ".join(f"{name} {value}" for name, value in named if value)
        cards.append(
            element(
                "article",
                element("h3", row.what),
                element(
                    "p",
                    element("span", row.gate, class_="gate"),
                    " measured ",
                    element("strong", row.value, class_="number"),
                    ", the rule is ",
                    element("span", row.rule, class_="number"),
                ),
                element("p", row.reason),
                element("p", origin, class_="note") if origin else Markup(""),
            )
        )
    return element("div", join(cards), class_="cards")


def rehearsed(rows: tuple[Rehearsed, ...]) -> Markup:
    """What each rehearsal came to, with its own report."""
    cards = []
    for row in rows:
        took = f"walked in {duration(row.seconds)}"
        more = Markup(" · " + element("a", "its report", href=row.link)) if row.link is not None else Markup("")
        gate = element("span", row.gate, class_="gate") if row.gate else Markup("")
        heading = element("h3", row.what, " ", badge(row.ending))
        cards.append(
            element(
                "article",
                heading,
                element("p", gate, " " if row.gate else "", row.reason),
                element("p", took, more, class_="note"),
                class_=row.ending,
            )
        )
    return element("div", join(cards), class_="cards")


def lineage(steps: tuple[LineageStep, ...]) -> Markup:
    """The walk from a prediction back to its approver, one step a line."""
    items = []
    for step in steps:
        value = element("code", step.value)
        linked = element("a", value, href=step.link) if step.link is not None else value
        items.append(element("li", element("span", step.what, class_="what"), linked))
    return element("ol", join(items), class_="walk")


def commands(rows: tuple[Command, ...]) -> Markup:
    """Commands to look further; long ones scroll in their own box."""
    pairs = [
        element(
            "div",
            element("dt", row.purpose),
            element("dd", element("pre", element("code", row.command), tabindex="0")),
        )
        for row in rows
    ]
    return element("dl", join(pairs), class_="commands")
