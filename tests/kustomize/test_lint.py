"""Every overlay as it is built, under every rule of `mainline lint`."""

from collections.abc import Callable
from pathlib import Path

from pipelines.lint.judge import judge
from pipelines.tools import ROOT


def test_no_gate_of_a_built_overlay_fails_open(
    build: Callable[[Path, str, str], str], overlay: tuple[str, str]
) -> None:
    report = judge({"/".join(overlay): build(ROOT, *overlay)}, complete=True)
    assert report.findings == []
    assert report.objects
    assert not report.unreadable
    assert not report.templated


def test_no_gate_of_a_released_overlay_fails_open(
    build: Callable[[Path, str, str], str], released_tree: Path, overlay: tuple[str, str]
) -> None:
    assert judge({"/".join(overlay): build(released_tree, *overlay)}, complete=True).findings == []
