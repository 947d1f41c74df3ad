"""The evidence of an abort as Markdown, for the person who decides what comes next: the proposed revert's message."""

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.abort_evidence import last_values
from pipelines.judge_report import NAME


def markdown(found: Mapping[str, Any]) -> str:
    """The document for a person."""
    serving = found["serving"]
    still = (
        f"Version {serving['version']} serves all requests." if serving else "No earlier version was there to serve."
    )
    parts = [
        f"The rollout of {found['model']} version {found['version']} (attempt {found['attempt']}) in "
        f"{found['environment']} was aborted: **{found['reason']}**",
        still,
    ]
    if found["failed"]:
        rows = [
            (each["analysis"], each["metric"], each["phase"], last_values(each), each["success"] or each["failure"])
            for each in found["failed"]
        ]
        parts += ["## What closed", _table(("analysis", "metric", "ended", "last value", "must be"), rows)]
    if found["message"]:
        parts.append(f"Argo Rollouts says: {found['message']}")
    rows = [
        (run["name"], metric["metric"], metric["phase"], str(len(metric["measurements"])), last_values(metric))
        for run in found["analyses"]
        for metric in run["metrics"]
    ]
    if rows:
        parts += ["## All analyses", _table(("analysis", "metric", "ended", "measurements", "last value"), rows)]
    judge = found["judge"]
    judged = [(each["check"], each["verdict"], each["reason"]) for each in judge["judgements"]]
    if judged:
        parts += ["## What the judge says", _table(("check", "verdict", "reason"), judged)]
    links = [f"- {name}: {url}" for name, url in found["links"].items()]
    kept = f"not kept: {judge['problem']}" if judge["problem"] else f"kept beside this as {NAME}"
    parts += ["## Where to read on", "\n".join([*links, f"- the judge's report: {kept}"])]
    parts.append(
        f"Pods' hash `{found['hash']}`, digest `{found['digest']}`. The version comes back only under a higher attempt "
        f"(`mainline promote {found['model']} --to {found['environment']} --again`), through every gate."
    )
    return "\n\n".join(parts) + "\n"


def _table(head: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(
        "| " + " | ".join(cell.replace("|", "\\|").replace("\n", " ") for cell in line) + " |" for line in lines
    )
