"""The demo's report: one page, self-contained, escaped, complete."""

from __future__ import annotations

import math
from datetime import UTC, datetime
from functools import partial
from html.parser import HTMLParser
from pathlib import Path

import pytest

from pipelines.report import (
    Command,
    Demo,
    GateRow,
    LineageStep,
    Rehearsed,
    Stage,
    Status,
    Stopped,
    VersionMetrics,
    page,
    render,
)
from pipelines.report_page.charts import duration, ticks

STARTED = datetime(2026, 11, 21, 14, 30, tzinfo=UTC)
DIGEST = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"


def example() -> Demo:
    """A demo with everything that the page can show."""
    version = partial(VersionMetrics, model="diabetes", metric="rmse", limit=65.0, unit="score")
    return Demo(
        outcome="The loop closed: two versions promoted, one brought back, two bad models stopped",
        succeeded=True,
        started=STARTED,
        seconds=128.4,
        commit="4be1c0ffee4be1c0ffee4be1c0ffee4be1c0ffee",
        summary="A push trained, a merge promoted, a revert rolled back, all on this machine.",
        stages=(
            Stage(scene="1 · Push trains", name="push to the bare origin", started_seconds=0, seconds=1.2),
            Stage(
                scene="1 · Push trains",
                name="pull data",
                started_seconds=1.2,
                seconds=3.1,
                detail="data 3f2a, 442 rows",
            ),
            Stage(scene="1 · Push trains", name="train", started_seconds=4.3, seconds=11.8, detail="alpha 0.1"),
            Stage(
                scene="1 · Push trains", name="evaluate", started_seconds=16.1, seconds=9.4, detail="no champion yet"
            ),
            Stage(scene="2 · Merge promotes", name="merge the proposal", started_seconds=26, seconds=0.4),
            Stage(scene="2 · Merge promotes", name="serve staging", started_seconds=26.4, seconds=6.2),
            Stage(
                scene="3 · A bad model is stopped",
                name="train with alpha 500",
                started_seconds=40,
                seconds=31.0,
                status=Status.STOPPED,
                detail="refused by rmse: 81.3 > 65",
            ),
            Stage(scene="4 · Revert rolls back", name="git revert", started_seconds=118, seconds=10.4),
        ),
        metrics=(
            version(version="version 1", commit="4be1c0ffee", value=56.2, low=51.0, high=61.1, champion=True),
            version(version="version 2", commit="a77e57ab1e", value=53.9, low=48.8, high=58.7),
            version(version="refused run", commit="bad0bad0ba", value=81.3, low=75.2, high=87.0, verdict="fail"),
            version(version="shuffled labels", commit="5bad1abe15", value=math.nan, verdict="inconclusive"),
        ),
        gates=(
            GateRow(run="diabetes-a77e57a", gate="limits.rmse", value="53.9", rule="at most 65", verdict="pass"),
            GateRow(
                run="diabetes-a77e57a",
                gate="champion",
                value="-2.3 (-5.1 to 0.4)",
                rule="not worse than version 1 by more than 1 score",
                verdict="pass",
                reason="the whole interval lies within the margin",
            ),
            GateRow(
                run="diabetes-bad0bad",
                gate="limits.rmse",
                value="81.3",
                rule="at most 65",
                verdict="fail",
                reason="predicting the mean already scores 77; above 65 it has learnt too little to be worth serving",
            ),
            GateRow(
                run="diabetes-bad0bad", gate="slice_gap", value="no value", rule="at most 15", verdict="inconclusive"
            ),
        ),
        stopped=(
            Stopped(
                what="A ridge penalty that cripples the model",
                gate="limits.rmse",
                value="81.3",
                rule="at most 65",
                reason="The model predicts nearly the mean. The run is recorded, no version, no proposal.",
                run="0f2c9a11",
                commit="bad0bad0bad0",
            ),
            Stopped(
                what="Labels shuffled against their rows",
                gate="limits.r2",
                value="-0.04",
                rule="at least 0.3",
                reason="Nothing in the features explains the target any more.",
            ),
        ),
        rehearsed=(
            Rehearsed(
                what="version 2 of commit a77e57ab1e",
                version="2",
                ending="aborted",
                gate="input-drift",
                reason="blood_pressure moved by 0.6 from the rows that this version was trained on",
                seconds=31.4,
                link="rehearsals/2/report.html",
            ),
            Rehearsed(
                what="version 3 of commit 5bad1abe15",
                version="3",
                ending="promoted",
                gate="",
                reason="all gates passed",
                seconds=52.0,
            ),
        ),
        lineage=(
            LineageStep(what="prediction", value='{"prediction": 151.2, "lower": 58.1, "upper": 244.3}'),
            LineageStep(what="bundle digest", value=DIGEST),
            LineageStep(
                what="registered version", value="diabetes 2", link="http://127.0.0.1:5000/#/models/diabetes/versions/2"
            ),
            LineageStep(what="approved by", value="Ada Lovelace <ada@example.org>"),
        ),
        commands=(Command(purpose="Walk a prediction back yourself", command=f"mainline lineage {DIGEST}"),),
    )


class Reader(HTMLParser):
    """Collects tags, attributes and text, and whether every element was closed."""

    VOID = frozenset({"meta", "br", "link", "line", "rect", "circle"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        if tag not in self.VOID:
            assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def test_page_holds_every_value_and_closes_every_element() -> None:
    reader = Reader(page(example()))
    text = " ".join(reader.words)
    for value in (
        "81.3",
        "at most 65",
        DIGEST,
        "Ada Lovelace <ada@example.org>",
        "version 2",
        "no value",
        "2 min 08 s",
    ):
        assert value in text
    assert reader.open == []


def test_page_loads_nothing_from_elsewhere() -> None:
    reader = Reader(page(example()))
    assert {tag for tag, _ in reader.tags}.isdisjoint({"script", "img", "iframe", "link", "object"})
    assert all("src" not in attributes for _, attributes in reader.tags)
    assert "url(" not in page(example())
    assert "@import" not in page(example())
    policies = [a["content"] or "" for _, a in reader.tags if a.get("http-equiv") == "Content-Security-Policy"]
    assert ["default-src 'none'" in policy for policy in policies] == [True]


def test_page_serves_phones_and_both_colour_schemes() -> None:
    text = page(example())
    assert 'name="viewport" content="width=device-width, initial-scale=1"' in text
    assert "prefers-color-scheme: dark" in text


@pytest.mark.parametrize("field", ["outcome", "summary", "commit"])
def test_markup_in_a_value_is_shown_not_run(field: str) -> None:
    demo = Demo(**{"outcome": "x", "succeeded": False, "started": STARTED, "seconds": 1.0, field: '<b a="1">&'})  # type: ignore[arg-type]
    assert '<b a="1">' not in page(demo)
    assert "&lt;b" in page(demo)


def test_markup_in_rows_and_attributes_is_escaped() -> None:
    evil = "\"><script>alert('x')</script>"
    demo = Demo(
        outcome="x",
        succeeded=True,
        started=STARTED,
        seconds=1.0,
        stages=(Stage(name=evil, started_seconds=0, seconds=1, detail=evil, scene=evil),),
        metrics=(VersionMetrics(model=evil, version=evil, commit=evil, metric=evil, value=1.0, verdict=evil),),
        gates=(GateRow(run=evil, gate=evil, value=evil, rule=evil, verdict=evil, reason=evil),),
        stopped=(Stopped(what=evil, gate=evil, value=evil, rule=evil, reason=evil),),
        rehearsed=(Rehearsed(what=evil, version=evil, ending=evil, gate=evil, reason=evil, seconds=1.0),),
        lineage=(LineageStep(what=evil, value=evil),),
        commands=(Command(purpose=evil, command=evil),),
    )
    assert "<script" not in page(demo)
    assert all(tag != "script" for tag, _ in Reader(page(demo)).tags)


@pytest.mark.parametrize("link", ["javascript:alert(1)", "data:text/html,x", "JaVaScRiPt:alert(1)"])
def test_link_that_runs_code_is_refused(link: str) -> None:
    with pytest.raises(ValueError, match="scheme must be file, http or https"):
        LineageStep(what="run", value="x", link=link)
    with pytest.raises(ValueError, match="scheme must be file, http or https"):
        Rehearsed(what="2", version="2", ending="promoted", gate="", reason="", seconds=1.0, link=link)


@pytest.mark.parametrize("seconds", [-1.0, math.nan, math.inf])
def test_stage_with_impossible_time_is_refused(seconds: float) -> None:
    with pytest.raises(ValueError, match="finite and not negative"):
        Stage(name="train", started_seconds=0.0, seconds=seconds)


def test_start_without_time_zone_is_refused() -> None:
    with pytest.raises(ValueError, match="time zone"):
        Demo(outcome="x", succeeded=True, started=STARTED.replace(tzinfo=None), seconds=1.0)


def test_empty_demo_still_gives_a_page_with_its_outcome() -> None:
    text = page(Demo(outcome="Stopped at pull data", succeeded=False, started=STARTED, seconds=2.0))
    assert "Stopped at pull data" in text
    assert "<section" not in text


def test_same_demo_gives_same_bytes() -> None:
    assert page(example()) == page(example())


def test_render_replaces_an_older_report_and_leaves_no_temporary_file(tmp_path: Path) -> None:
    out = tmp_path / "build" / "report.html"
    render(example(), out)
    assert render(example(), out) == out
    assert [p.name for p in out.parent.iterdir()] == ["report.html"]
    assert out.read_text(encoding="utf-8") == page(example())


def test_bars_and_dots_lie_inside_the_plot() -> None:
    for tag, attributes in Reader(page(example())).tags:
        for key in ("x", "x1", "x2", "cx"):
            if tag in {"rect", "line", "circle", "text"} and key in attributes:
                assert 0 <= float((attributes[key] or "").rstrip("%")) <= 100, (tag, attributes)


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (9.96, "10 s"), (59.6, "1 min 00 s"), (128.4, "2 min 08 s")]
)
def test_duration_reads_well(seconds: float, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("low", "high", "expected"), [(0, 128.4, [0, 50, 100]), (0.9, 1.0, [0.9, 0.92, 0.94, 0.96, 0.98, 1.0]), (3, 3, [3])]
)
def test_ticks_are_round_numbers(low: float, high: float, expected: list[float]) -> None:
    assert ticks(low, high) == pytest.approx(expected)
