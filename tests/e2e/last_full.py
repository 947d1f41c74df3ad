"""What each scenario of `make e2e FULL=1` said last, with date and commit: a file that CI, which runs a part, can show.

A run of some of them renews their lines and leaves the others', so that hours may be split.
"""

from collections.abc import Sequence
from pathlib import Path

from tests.e2e.table import Scenario

HERE = Path(__file__).parent
# Committed by hand after a run.
PATH = HERE / "last-full.txt"
_HEAD = "# Of make e2e FULL=1, each scenario's last run: how it ended, in seconds, when (UTC) and at which commit.\n"


def renew(text: str, scenarios: Sequence[Scenario], *, when: str, commit: str) -> str:
    """The file's text with the lines of these scenarios as they were now; sorted by name, one a line."""
    lines = {line.split("  ", 1)[0]: line for line in text.splitlines() if line and not line.startswith("#")}
    for each in scenarios:
        if each.outcome != "skipped":
            name = each.name.replace("  ", " ")
            lines[name] = f"{name}  {each.outcome}  {each.seconds:.0f} s  {when}  {commit[:12]}"
    return _HEAD + "".join(f"{lines[name]}\n" for name in sorted(lines))
