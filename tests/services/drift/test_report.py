"""The report: everything a person needs, nothing loaded from elsewhere, small, and safe whatever a name holds."""

import dataclasses
import re
from html.parser import HTMLParser

import pytest

from models.verdict import Verdict
from services.drift.entry import Check, Entry
from services.drift.judgement import Finding, Histogram, Judgement, State, undecided
from services.drift.report import index, missing, page
from tests.services.drift.judgements import CANDIDATE, NOW, STABLE, failing, finding


def _entry(judgement: Judgement, check: Check = "inputs") -> Entry:
    return Entry(
        check=check,
        model="iris",
        candidate_hash=CANDIDATE.hash,
        stable_hash=STABLE.hash,
        window_seconds=1800.0,
        at=NOW,
        seconds=0.3,
        judgement=judgement,
    )


class _Text(HTMLParser):
    """What a person reads, and what a browser would load."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.words: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []
        self.feed(source)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in ("src", "data", "srcset")]
        if tag == "link":
            self.loaded.append("link")

    def handle_data(self, data: str) -> None:
        self.words.append(data)

    @property
    def text(self) -> str:
        return re.sub(r"\s+", " ", " ".join(self.words))


def test_failing_report_says_what_moved_how_far_and_what_to_do() -> None:
    read = _Text(page([_entry(failing())]))
    for told in (
        "iris 8 is turned back",
        failing().reason,
        "look at petal_length",
        "petal_length speaks",
        "wasserstein: distance 2.2, limit 0.2; probability by chance < 1e-12, limit 2.5e-04",
        "612",
        "2026-03-01 11:55:00 to 12:00:00 UTC",
        "one look at a fixed size",
        "petal_width moved for stable too: retrain",
        CANDIDATE.digest,
    ):
        assert told in read.text
    assert read.tags.count("rect") == 2 * 2 * 20
    assert read.loaded == []
    assert "script" not in read.tags


def test_report_of_hundreds_of_features_stays_small() -> None:
    findings = [finding(f"pixel_{index}", State.OWN if index < 400 else State.STEADY) for index in range(784)]
    source = page([_entry(failing(*findings)), _entry(failing(*findings), "predictions")])
    assert len(source.encode()) < 300_000


@pytest.mark.parametrize("verdict", list(Verdict))
def test_each_verdict_has_its_words(verdict: Verdict) -> None:
    read = _Text(page([_entry(dataclasses.replace(failing(), verdict=verdict))]))
    assert verdict.value in read.text
    assert "What to do" in read.text


def test_judgement_without_anything_can_be_shown() -> None:
    text = _Text(page([_entry(undecided("the capture log has no part of these pods"), "predictions")])).text
    assert f"iris, pods {CANDIDATE.hash} could not be judged" in text
    assert "no part of these pods" in text


def test_names_are_text_never_markup() -> None:
    evil = "<script>alert(1)</script>"
    drawn = Histogram((evil, "b", "", "é" * 40), (0.5, 0.5, 0.0, 0.0), (0.1, float(0), 0.5, 0.4))
    found = dataclasses.replace(finding(evil, State.OWN, text=evil), histogram=drawn, unit=evil)
    judgement = dataclasses.replace(failing(found), reason=evil, warnings=(evil,), rows={evil: 1})
    for source in (page([_entry(judgement)]), index([[_entry(judgement)]]), missing(evil)):
        assert "script" not in _Text(source).tags


@pytest.mark.parametrize(
    "drawn",
    [Histogram((), (), ()), Histogram(("a",), (0.0,), (0.0,)), Histogram(("1.0",), (1.0,), (1.0,)), None],
)
def test_odd_histograms_can_be_shown(drawn: Histogram | None) -> None:
    odd: Finding = dataclasses.replace(finding("f", State.UNKNOWN), histogram=drawn, distance=float("nan"))
    assert "distance none" in _Text(page([_entry(failing(odd))])).text


def test_index_links_every_report_and_says_when_there_is_none() -> None:
    assert 'href="/reports/iris-8"' in index([[_entry(failing())]])
    assert "Nothing has been judged yet" in index([])
