"""The rehearsal while it runs: step, weight, traffic and gates on a terminal, or else a line for each event."""

import threading
from collections.abc import Mapping
from types import TracebackType

from rich.console import Console, ConsoleOptions, Group, RenderResult
from rich.live import Live
from rich.markup import escape
from rich.table import Table
from rich.text import Text

from pipelines.rehearsal import wording
from pipelines.rehearsal.contract import Event, Phase
from pipelines.rehearsal.metric import Metric
from pipelines.rehearsal.tally import Seen
from pipelines.rehearsal.world import Sample

_BAR = 24
_STYLES = {
    "pass": "green",
    "fail": "red",
    "error": "red",
    "inconclusive": "yellow",
    "waiting": "dim",
    "no verdict": "dim",
}
_TOLD = ("step", "metric", "analysis", "ready", "end")


class View:
    """Shows a rehearsal; use as a context manager. Events and samples may come from different threads."""

    def __init__(self, console: Console, title: str) -> None:
        self._console, self._title = console, title
        self._metrics: dict[str, Metric] = {}
        self._lock = threading.Lock()
        self._doing = ""
        self._steps = 0
        self._runs: dict[str, int] = {}
        self._gates: dict[tuple[str, int, str], tuple[str, str, str]] = {}
        self._sample: Sample | None = None
        self._share = 0.0
        self._live = Live(get_renderable=lambda: self, console=console, refresh_per_second=4, transient=True)

    def __enter__(self) -> "View":
        if self._console.is_terminal:
            self._live.start()
        else:
            self._console.print(self._title, markup=False, soft_wrap=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live.is_started:
            self._live.stop()

    def plan(self, metrics: Mapping[str, Metric], *, steps: int = 0) -> None:
        """The metrics that will be asked, by name, and how many steps there are."""
        with self._lock:
            self._metrics, self._steps = dict(metrics), steps

    def say(self, doing: str) -> None:
        """What is being done outside of the walk."""
        with self._lock:
            self._doing = doing
        if not self._console.is_terminal:
            self._console.print(f"  {doing}", markup=False, soft_wrap=True)

    def event(self, event: Event) -> None:
        """One event of the step machine."""
        with self._lock:
            self._share = event.share
            if event.kind == "step":
                of = f"step {event.step + 1} of {self._steps}: " if 0 <= event.step < self._steps else ""
                self._doing = f"{of}{event.label}"
            if event.kind == "analysis" and event.phase is Phase.RUNNING:
                self._runs[event.label] = self._runs.get(event.label, 0) + 1
            if event.kind in ("measurement", "metric") and event.metric:
                self._gate(event)
        if not self._console.is_terminal and event.kind in _TOLD:
            self._console.print(f"  {_line(event)}", markup=False, soft_wrap=True)

    def sample(self, sample: Sample) -> None:
        """What callers saw in the last second."""
        with self._lock:
            self._sample = sample

    def _gate(self, event: Event) -> None:
        key = (event.label, self._runs.get(event.label, 0), event.metric)
        value, rule, _ = self._gates.get(key, ("", "", ""))
        verdict = wording.verdict(event.phase)
        if event.kind == "measurement":
            value = wording.value(event.value)
            # undecided so far: it is asked again
            verdict = "waiting" if event.phase is Phase.INCONCLUSIVE else verdict
        if not rule and event.metric in self._metrics:
            rule = wording.rule(self._metrics[event.metric])
        self._gates[key] = (value, rule, verdict)

    def __rich_console__(self, console: Console, options: ConsoleOptions) -> RenderResult:
        """The whole picture, as of now."""
        with self._lock:
            yield Group(
                Text(self._title, style="bold"),
                Text(self._doing or "starting"),
                self._weight(),
                self._traffic(),
                self._table(),
            )

    def _weight(self) -> Text:
        full = round(_BAR * self._share)
        bar = Text("█" * full, style="cyan") + Text("░" * (_BAR - full), style="dim")
        return Text("traffic to the candidate ") + bar + Text(f" {100 * self._share:.0f} %")

    def _traffic(self) -> Table:
        table = Table("", "requests/s", "failed", "p99", box=None, padding=(0, 2, 0, 0), header_style="dim")
        if self._sample is not None:
            for name, seen in (("candidate", self._sample.candidate), ("stable", self._sample.stable)):
                table.add_row(name, str(seen.requests), *_seen(seen))
        return table

    def _table(self) -> Table:
        table = Table("gate", "value", "rule", "verdict", box=None, padding=(0, 2, 0, 0), header_style="dim")
        for (_, _, name), (value, rule, verdict) in list(self._gates.items())[-14:]:
            table.add_row(escape(name), escape(value), escape(rule), Text(verdict, style=_STYLES.get(verdict, "dim")))
        return table


def _seen(seen: Seen) -> tuple[str, str]:
    failed = "" if seen.error_ratio is None else f"{100 * seen.error_ratio:.1f} %"
    return failed, "" if seen.p99_seconds is None else f"{1000 * seen.p99_seconds:.1f} ms"


def _line(event: Event) -> str:
    """An event in one line: when, how much traffic, what."""
    what, said = event.label, event.message
    match event.kind:
        case "step" | "ready":
            what, said = event.message or event.label, ""
        case "metric":
            what, said = f"{event.metric}: {wording.verdict(event.phase)}", ""
            if event.phase is not Phase.SUCCESSFUL:
                said = event.message.removeprefix(f"{event.metric}: ")
        case "analysis" if event.phase is not Phase.RUNNING:
            what, said = f"{event.label}: {event.phase}", ""
        case "end":
            what, said = event.message, ""
    return f"{event.time:5.1f} s  {100 * event.share:3.0f} %  {what}{f' ({said})' if said else ''}"
