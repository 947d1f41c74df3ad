"""What a person sees while it runs: a line for each event in a log, one picture on a terminal."""

import io

from rich.console import Console

from pipelines.rehearsal.live import View
from pipelines.rehearsal.tally import Seen
from pipelines.rehearsal.world import Sample
from tests.pipelines.rehearsal.test_account import EVENTS, METRICS, event

SAMPLE = Sample(
    time=4.0, share=0.25, candidate=Seen(50, 1, 0.0042), stable=Seen(150, 0, 0.0031), memory_bytes=1, restarts=0
)


def test_log_has_a_line_for_each_step_and_verdict_and_none_for_measurements() -> None:
    file = io.StringIO()
    with View(Console(file=file, width=200), "rehearsing diabetes") as view:
        view.plan(METRICS)
        view.say("starting")
        view.event(event(0.5, "step", message="setWeight 25"))
        for each in EVENTS:
            view.event(each)
        view.event(event(9.0, "end", message="aborted: [error-ratio] 0.02"))
    lines = file.getvalue().splitlines()
    assert lines[:3] == ["rehearsing diabetes", "  starting", "    0.5 s   25 %  setWeight 25"]
    assert "    3.5 s   25 %  error-ratio: pass" in lines
    assert "    8.1 s   25 %  error-ratio: fail (why)" in lines
    assert lines[-1] == "    9.0 s   25 %  aborted: [error-ratio] 0.02"
    assert not any("0.001" in line for line in lines)


def test_terminal_shows_weight_traffic_and_gates() -> None:
    file = io.StringIO()
    console = Console(file=file, force_terminal=True, width=110, height=40, color_system=None)
    with View(console, "rehearsing diabetes") as view:
        view.plan(METRICS)
        for each in EVENTS:
            view.event(each)
        view.sample(SAMPLE)
        shown = io.StringIO()
        Console(file=shown, width=110, color_system=None).print(view)
    picture = shown.getvalue()
    assert "██████░░░" in picture
    assert "25 %" in picture
    assert "2.0 %" in picture
    assert "4.2 ms" in picture
    gates = [line.split() for line in picture.splitlines() if line.startswith("error-ratio")]
    assert gates == [
        ["error-ratio", "0.001", "at", "most", "0.005", "pass"],
        ["error-ratio", "0.02", "at", "most", "0.005", "fail"],
    ]
