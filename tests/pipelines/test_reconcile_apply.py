"""When an application of main is due: never twice at once, soon after a failure and ever more rarely, now and then."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from pipelines.reconcile_apply import due

NOW = datetime(2026, 11, 21, 20, 0, tzinfo=UTC)
HEAD = "0123456789ab" + "c" * 28


def workflow(name: str, phase: str, minutes_ago: float = 0) -> dict[str, Any]:
    at = (NOW - timedelta(minutes=minutes_ago)).isoformat().replace("+00:00", "Z")
    return {"metadata": {"name": name}, "status": {"phase": phase, "finishedAt": at}}


FIRST = "apply-0123456789ab"


@pytest.mark.parametrize(
    ("workflows", "name"),
    [
        ([], FIRST),
        ([workflow("apply-ffffffffffff", "Succeeded")], FIRST),
        ([{"metadata": {"name": FIRST}}], ""),
        ([workflow(FIRST, "Running")], ""),
        ([workflow(FIRST, "Succeeded", 5)], ""),
        ([workflow(FIRST, "Succeeded", 31)], f"{FIRST}-2"),
        ([workflow(FIRST, "Failed", 3)], ""),
        ([workflow(FIRST, "Failed", 5)], f"{FIRST}-2"),
        ([workflow(FIRST, "Failed", 20), workflow(f"{FIRST}-2", "Error", 5)], ""),
        ([workflow(FIRST, "Failed", 20), workflow(f"{FIRST}-2", "Error", 9)], f"{FIRST}-3"),
        ([workflow(f"{FIRST}-{n}", "Failed", 59) for n in range(2, 20)], ""),
        ([workflow(f"{FIRST}-{n}", "Failed", 61) for n in range(2, 20)], f"{FIRST}-20"),
        ([workflow(f"{FIRST}-{n}", "Failed", 99) for n in (2, 3)] + [workflow(f"{FIRST}-10", "Succeeded", 9)], ""),
    ],
    ids=["none", "another commit's", "waits", "runs", "done", "long done", "failed just now", "failed",
         "twice just now", "twice", "often", "often and an hour ago", "tenth after third"],
)  # fmt: skip
def test_an_application_is_due(workflows: list[dict[str, Any]], name: str) -> None:
    assert due(HEAD, workflows, NOW) == name
