"""The shelf keeps the latest of each check for the last versions, whole or not at all."""

import dataclasses
import os
import threading
from pathlib import Path
from typing import cast

import pytest

from models.verdict import Verdict
from services.drift.entry import Check, Entry, in_order
from services.drift.judgement import Judgement, undecided
from services.drift.shelf import Shelf
from tests.services.drift.judgements import CANDIDATE, NOW, STABLE, failing


def _entry(judgement: Judgement, check: Check = "inputs", *, pods: str = CANDIDATE.hash) -> Entry:
    return Entry(
        check=check,
        model="iris",
        candidate_hash=pods,
        stable_hash=STABLE.hash,
        window_seconds=1800.0,
        at=NOW,
        seconds=0.3,
        judgement=judgement,
    )


def _of_version(version: str) -> Judgement:
    return dataclasses.replace(failing(), candidate=dataclasses.replace(CANDIDATE, version=version))


def test_latest_of_each_check_is_read_back_as_it_was(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_reports=3)
    for entry in (_entry(undecided("few")), _entry(failing()), _entry(failing(), check="predictions")):
        shelf.keep(entry)
    found = shelf.report("iris-8")
    assert (set(found), found["inputs"].judgement.verdict) == ({"inputs", "predictions"}, Verdict.FAIL)
    assert found["inputs"].judgement.findings == failing().findings
    assert found["inputs"].to_json() == _entry(failing()).to_json()


def test_other_pods_of_the_same_version_begin_a_new_report(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_reports=3)
    shelf.keep(_entry(failing()))
    shelf.keep(_entry(failing(), check="predictions", pods="aaaa"))
    assert set(shelf.report("iris-8")) == {"predictions"}


def test_oldest_versions_go_first(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_reports=2)
    for position, version in enumerate(("5", "6", "7", "5")):
        shelf.keep(_entry(_of_version(version)))
        os.utime(tmp_path / f"iris-{version}", (position, position))
    assert shelf.names() == ["iris-5", "iris-7"]


@pytest.mark.parametrize("version", ["../../etc", "8/../9", "", "8\n", "latest", "-1"])
def test_version_that_is_none_gives_the_report_its_pods_name(tmp_path: Path, version: str) -> None:
    assert _entry(_of_version(version)).report == f"iris-{CANDIDATE.hash}"


@pytest.mark.parametrize("name", ["..", "../iris-8", "iris-8/../iris-8", "", "iris", "iris-8.json", "Iris-8"])
def test_name_that_is_none_finds_nothing(tmp_path: Path, name: str) -> None:
    for folder in (tmp_path, tmp_path / "shelf"):
        Shelf(folder, max_reports=2).keep(_entry(failing()))
    assert Shelf(tmp_path / "shelf", max_reports=2).report(name) == {}


def test_write_that_fails_leaves_the_former_entry(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    shelf = Shelf(tmp_path, max_reports=2)
    shelf.keep(_entry(failing()))

    def fail(source: str, target: Path) -> None:
        raise OSError("no space")

    monkeypatch.setattr("os.replace", fail)
    with pytest.raises(OSError, match="no space"):
        shelf.keep(_entry(undecided("few")))
    assert shelf.report("iris-8")["inputs"].judgement.verdict is Verdict.FAIL
    assert [path.name for path in (tmp_path / "iris-8").iterdir()] == ["inputs.json"]


def test_file_of_another_judge_is_passed_over(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_reports=2)
    shelf.keep(_entry(failing()))
    (tmp_path / "iris-8" / "quality.json").write_text('{"verdict": "pass"}')
    (tmp_path / "iris-8" / "replay.json").write_bytes(b'{"half')
    assert set(shelf.report("iris-8")) == {"inputs"}


def test_reader_meets_whole_entries_only(tmp_path: Path) -> None:
    shelf = Shelf(tmp_path, max_reports=2)
    shelf.keep(_entry(failing()))
    ended = threading.Event()

    def write() -> None:
        while not ended.is_set():
            shelf.keep(_entry(failing()))

    writer = threading.Thread(target=write)
    writer.start()
    found = [len(Shelf(tmp_path, max_reports=2).report("iris-8")) for _ in range(200)]
    ended.set()
    writer.join()
    assert set(found) == {1}


def test_most_decisive_comes_first_and_causes_before_effects() -> None:
    warned = dataclasses.replace(failing(), verdict=Verdict.PASS)
    passed = dataclasses.replace(warned, warnings=())

    def order(**judgements: Judgement) -> list[str]:
        return [
            entry.check
            for entry in in_order({check: _entry(of, cast(Check, check)) for check, of in judgements.items()})
        ]

    assert order(inputs=passed, predictions=undecided("few"), replay=failing()) == ["replay", "predictions", "inputs"]
    assert order(replay=failing(), predictions=failing(), inputs=failing()) == ["inputs", "predictions", "replay"]
    assert order(inputs=passed, predictions=warned) == ["predictions", "inputs"]
