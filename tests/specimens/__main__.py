"""`make specimens`: every specimen through the rehearsal, one after another, and a table of what came of it.

`python -m tests.specimens [PART OF A NAME ...]` takes some of them. Exit 1: one did not end as expected.
`python -m tests.specimens --markdown` prints what is expected, for a page.
"""

import shutil
import sys
import time
from collections.abc import Sequence

from rich.console import Console
from rich.table import Table

from tests.specimens.catalogue import Case, Ending, cases
from tests.specimens.live import Rehearsed, rehearsed
from tests.specimens.making import ROOT

FOLDER = ROOT / "build" / "specimens" / "live"


def main(names: Sequence[str]) -> int:
    """Rehearses the cases whose names contain one of `names`, all without; prints as it goes, then the table."""
    console = Console()
    chosen = [case for case in cases() if _wanted(case, names)]
    table = Table("specimen", "strategy", "model", "expected", "got", "by", "s", title="Specimens")
    wrong, begun = 0, time.monotonic()
    for number, case in enumerate(chosen, start=1):
        console.print(f"[{number}/{len(chosen)}] {case}: {case.story}", markup=False, highlight=False)
        found = _one(case)
        good = isinstance(found, Rehearsed) and found.as_expected
        wrong += not good
        table.add_row(*_row(case, found), style="" if good else "bold red")
        if not good:
            reason = found.reason if isinstance(found, Rehearsed) else found
            console.print(f"    not as expected: {reason}", markup=False, style="red")
    console.print(table)
    told = f"{len(chosen) - wrong} of {len(chosen)} as expected, in {(time.monotonic() - begun) / 60:.1f} minutes"
    console.print(f"{told}; reports are in {FOLDER.relative_to(ROOT)}", highlight=False)
    return 1 if wrong else 0


def _wanted(case: Case, names: Sequence[str]) -> bool:
    # what is refused before anything starts has tests of its own
    return case.ending is not Ending.REFUSED and (not names or any(name in str(case) for name in names))


def _one(case: Case) -> Rehearsed | str:
    """How it ended, or what came between."""
    folder = FOLDER / str(case)
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    try:
        return rehearsed(case, folder)
    except Exception as error:  # noqa: BLE001  (told, and the others go on)
        return f"{type(error).__name__}: {error}"


def _row(case: Case, found: Rehearsed | str) -> tuple[str, ...]:
    told = (case.specimen, case.strategy, case.model, _expected(case))
    if isinstance(found, str):
        return (*told, "no ending", "", "")
    return (*told, found.ending, found.gate, f"{found.seconds:.0f}")


def markdown() -> str:
    """The table of what must happen."""
    lines = ["| specimen | what it is | canary | blue-green |", "|---|---|---|---|"]
    for name in dict.fromkeys(case.specimen for case in cases()):
        same = [case for case in cases() if case.specimen == name]
        cells = [
            "; ".join(dict.fromkeys(_expected(case) for case in same if case.strategy == strategy))
            for strategy in ("canary", "blue-green")
        ]
        lines.append(f"| {name} | {same[0].story} | {cells[0] or '-'} | {cells[1] or '-'} |")
    return "\n".join(lines)


def _expected(case: Case) -> str:
    return f"{case.ending}" + (f" by {' or '.join(case.gates)}" if case.gates else "")


if __name__ == "__main__":
    if sys.argv[1:] == ["--markdown"]:
        sys.stdout.write(markdown() + "\n")
    else:
        sys.exit(main(sys.argv[1:]))
