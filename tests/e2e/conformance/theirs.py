"""What an AnalysisRun of the real controller says of itself."""

from collections.abc import Sequence
from datetime import datetime

from tests.e2e.conformance.manifests import Object
from tests.e2e.conformance.seen import Analysis, Measurement
from tests.e2e.conformance.table import Case

COMPLETED = ("Successful", "Failed", "Error", "Inconclusive")
BAD = COMPLETED[1:]


def analysis(case: Case, run: Object | None, asked: Sequence[tuple[str, float]]) -> Analysis:
    """How it ended; times by the requests that came, whose clock is finer than Kubernetes'."""
    if run is None:
        return Analysis(run="was not made")
    status = run.get("status", {})
    results = status.get("metricResults", [])
    if not results and status.get("phase") == "Error":
        return Analysis(refused=status.get("message", ""))
    names = {case.path(name): name for name in case.row["answers"]}
    first = min((at for path, at in asked if path in names), default=0.0)
    times: dict[str, list[float]] = {}
    for path, at in asked:
        if path in names:
            times.setdefault(names[path], []).append(round(at - first, 1))
    return Analysis(
        run=status.get("phase", ""),
        message=status.get("message", ""),
        phases={each["name"]: [m["phase"] for m in each["measurements"]] for each in results},
        ends={each["name"]: each["phase"] for each in results},
        times=times,
    )


def measured(run: Object) -> dict[str, Measurement]:
    """Each metric's first measurement."""
    results = run.get("status", {}).get("metricResults", [])
    first = {each["name"]: each["measurements"][0] for each in results}
    return {
        name: Measurement(each["phase"], each.get("message", ""), each.get("value", "")) for name, each in first.items()
    }


def measurements(run: Object | None) -> int:
    """How many there are, of all metrics."""
    return sum(len(each["measurements"]) for each in (run or {}).get("status", {}).get("metricResults", []))


def completed(run: Object | None) -> bool:
    """Whether it has ended."""
    return run is not None and run.get("status", {}).get("phase") in COMPLETED


def started(run: Object | None) -> float:
    """When it began; 0 where it did not."""
    at = str((run or {}).get("status", {}).get("startedAt", ""))
    return datetime.fromisoformat(at).timestamp() if at else 0.0


def gates(runs: Sequence[Object]) -> tuple[str, ...]:
    """Of each run that ended badly the first metric that ended so."""
    found = []
    for run in runs:
        status = run["status"]
        if status["phase"] in BAD:
            ended = {each["name"]: each["phase"] for each in status.get("metricResults", [])}
            found += [m["name"] for m in run["spec"]["metrics"] if ended.get(m["name"]) == status["phase"]][:1]
    return tuple(found)


def verdicts(runs: Sequence[Object]) -> dict[str, str]:
    """Phase of each metric that was measured, `name#2` where it ran again."""
    found: dict[str, str] = {}
    for run in runs:
        for each in run["status"].get("metricResults", []):
            key, again = each["name"], 2
            while key in found:
                key, again = f"{each['name']}#{again}", again + 1
            found[key] = each["phase"]
    return found
