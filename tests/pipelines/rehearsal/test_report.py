"""What is left of a rehearsal: the file, the page and the summary, and that nothing in them can break out."""

import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from pipelines.rehearsal import report
from pipelines.rehearsal.summary import repeat, summary
from tests.pipelines.rehearsal.rehearsals import aborted


class Tags(HTMLParser):
    """Counts what opens and closes."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)
        if tag not in ("meta", "br", "link"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: object) -> None:
        self.seen.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_record_is_json_with_a_schema_and_without_nan(tmp_path: Path) -> None:
    aborted().write(tmp_path / "rehearsal.json")
    found = json.loads((tmp_path / "rehearsal.json").read_text(), parse_constant=lambda word: f"not JSON: {word}")
    assert found["schema"] == 1
    assert (found["ending"], found["gate"], found["traffic"]["seed"]) == ("aborted", "error-ratio", 7)
    assert found["distances"][3]["distance"] is None
    assert len(found["points"]) == 31


def test_page_is_whole_and_loads_nothing() -> None:
    text = report.page(aborted())
    tags = Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.seen.count("svg") == 6  # share, requests, failed, latency, memory, drift
    assert not re.search(r"(?:src|href)=\"(?!judge/)", text)
    assert "default-src &#x27;none&#x27;" in text
    assert "diabetes 2 for production: aborted" in text
    assert "look &lt;alike&gt;" in text


def test_page_of_a_rehearsal_that_had_nothing_to_do_is_whole() -> None:
    nothing = replace(aborted(), ending="nothing", points=(), marks=(), gates=(), distances=(), traffic=None)
    tags = Tags()
    tags.feed(report.page(nothing))
    assert tags.open == []
    assert "svg" not in tags.seen


def test_summary_is_a_short_table_that_a_pipe_cannot_break() -> None:
    text = summary(aborted())
    rows = [line for line in text.splitlines() if line.startswith("|")]
    assert len(rows) == 2 + 4
    assert all(len(re.findall(r"(?<!\\)\|", row)) == 6 for row in rows)
    assert "| **error-ratio** | step 7 | ❌ fail | 0.0617 | value &lt;= 0.005 |" in rows
    assert "6,200 requests, 31 of them failed" in text
    assert len(text.splitlines()) < 20


def test_command_in_the_summary_repeats_the_same_rehearsal() -> None:
    assert repeat(aborted()) == (
        "mainline rehearse diabetes --env production --base 111111111111 --head 222222222222 --rate 200 --seed 7"
    )
