"""The demo's report: one HTML file that works offline, light and dark, at desktop and phone width.

`mainline demo` fills a `Demo` while it plays the loop and calls `render` at its end, also when a stage failed.
"""

from __future__ import annotations

import os
import tempfile
from importlib.resources import files
from pathlib import Path

from pipelines.report_page import charts, sections
from pipelines.report_page.events import (
    Command,
    Demo,
    GateRow,
    LineageStep,
    Rehearsed,
    Stage,
    Status,
    Stopped,
    VersionMetrics,
)
from pipelines.report_page.markup import Markup, element, join

__all__ = [
    "Command",
    "Demo",
    "GateRow",
    "LineageStep",
    "Rehearsed",
    "Stage",
    "Status",
    "Stopped",
    "VersionMetrics",
    "page",
    "render",
]

# The page may load nothing: whoever adds a remote font or script sees it fail here rather than in a train.
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'"


def render(demo: Demo, out: Path) -> Path:
    """Write the report to `out`, whole or not at all.

    Args:
        demo: what happened; sections without content are left out.
        out: the HTML file; its folder is made where it is missing.

    Returns:
        `out`.
    """
    out.parent.mkdir(parents=True, exist_ok=True)
    handle, temporary = tempfile.mkstemp(dir=out.parent, prefix=f".{out.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(page(demo))
        Path(temporary).chmod(0o644)
        os.replace(temporary, out)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise
    return out


def page(demo: Demo) -> str:
    """The report as text; the same `Demo` gives the same bytes."""
    parts = [
        ("timeline", "Timeline", "Each stage of the loop as it ran; seconds since the start.", _timeline(demo)),
        ("metrics", "Metrics by version", "Champion and candidates, those refused included.", _metrics(demo)),
        (
            "stopped",
            "What was stopped, and why",
            "A gate closed, so nothing was registered or proposed.",
            sections.stopped(demo.stopped) if demo.stopped else None,
        ),
        (
            "rehearsed",
            "Rehearsed before the merge",
            "Both versions served, traffic replayed, the rollout's own steps walked and its own gates asked.",
            sections.rehearsed(demo.rehearsed) if demo.rehearsed else None,
        ),
        (
            "gates",
            "Gate by gate",
            "Inconclusive is not a pass: the proposal becomes a draft that asks a person.",
            sections.gates(demo.gates) if demo.gates else None,
        ),
        (
            "lineage",
            "From a prediction back to its approver",
            "What one answer of the server can be traced to.",
            sections.lineage(demo.lineage) if demo.lineage else None,
        ),
        ("further", "Look further", "", sections.commands(demo.commands) if demo.commands else None),
    ]
    present = [(name, title, note, body) for name, title, note, body in parts if body is not None]
    links = [element("li", element("a", title, href=f"#{name}")) for name, title, _, _ in present]
    bodies = [_section(name, title, note, body) for name, title, note, body in present]
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name_="viewport", content="width=device-width, initial-scale=1"),
        element("meta", http_equiv="Content-Security-Policy", content=POLICY),
        element("title", f"Mainline: {demo.outcome}"),
        element("style", Markup(files("pipelines.report_page").joinpath("page.css").read_text(encoding="utf-8"))),
    )
    nav = element("nav", element("ul", join(links)), aria_label="Sections") if links else Markup("")
    body = element("body", sections.header(demo), nav, element("main", join(bodies)))
    return "<!doctype html>\n" + element("html", head, body, lang="en") + "\n"


def _section(name: str, title: str, note: str, body: Markup) -> Markup:
    """A section with its heading as its name."""
    said = element("p", note, class_="note") if note else Markup("")
    heading = element("h2", title, id=f"{name}-title")
    return element("section", heading, said, body, id=name, aria_labelledby=f"{name}-title")


def _timeline(demo: Demo) -> Markup | None:
    """The timeline, where there are stages."""
    return charts.timeline(demo.stages, demo.seconds) if demo.stages else None


def _metrics(demo: Demo) -> Markup | None:
    """The metrics by version, where there are any."""
    return charts.metrics(demo.metrics) if demo.metrics else None
