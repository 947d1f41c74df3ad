"""Why a rollout was aborted: everything that is known of it, as a document; `abort_report` tells it to a person.

Pure: made of the Rollout, its AnalysisRuns and the judge's answers, as they were read. Kept with the version's run.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from models.verdict import Verdict
from pipelines.judge_report import JudgeReport
from pipelines.revision import Revision

_ARGUMENT = re.compile(r"{{\s*args\.([\w-]+)\s*}}")
_LINK = "link.argocd.argoproj.io/"
# Metrics that ask the judge, and the check that they ask for.
_CHECKS = {
    "input-drift": "inputs",
    "prediction-shift": "predictions",
    "replay": "replay",
    "live-quality": "quality",
}
# The measurements that decided stand at the end; a gate that waited has dozens before them.
_SHOWN = 5


def document(
    revision: Revision,
    rollout: Mapping[str, Any],
    runs: Sequence[Mapping[str, Any]],
    *,
    stable: Revision | None,
    report: JudgeReport,
) -> dict[str, Any]:
    """Everything that is known of an abort.

    Args:
        revision: what was aborted.
        rollout: the live Rollout.
        runs: the revision's AnalysisRuns.
        stable: what serves instead; None where nothing does.
        report: what the judge said.
    """
    analyses = [_analysis(run) for run in runs]
    failed = [
        {"analysis": run["name"], **metric}
        for run in analyses
        for metric in run["metrics"]
        if metric["phase"] in ("Failed", "Error")
    ]
    undecided = [metric["metric"] for run in analyses for metric in run["metrics"] if metric["phase"] == "Inconclusive"]
    message = _message(rollout)
    return {
        **asdict(revision),
        "aborted_at": (rollout.get("status") or {}).get("abortedAt"),
        "message": message,
        "reason": _reason(failed, message, undecided, _judged(report)),
        "serving": None if stable is None else {"version": stable.version, "digest": stable.digest},
        "failed": failed,
        "analyses": analyses,
        "judge": {"url": report.url, "problem": report.problem, "judgements": list(report.judgements)},
        "links": _links(rollout, runs),
    }


def _analysis(run: Mapping[str, Any]) -> dict[str, Any]:
    spec, status = run.get("spec") or {}, run.get("status") or {}
    arguments = {each["name"]: str(each.get("value", "")) for each in spec.get("args") or []}
    rules = {each["name"]: each for each in spec.get("metrics") or []}
    return {
        "name": run["metadata"]["name"],
        "phase": status.get("phase", ""),
        "message": status.get("message", ""),
        "started_at": status.get("startedAt"),
        "completed_at": status.get("completedAt"),
        "metrics": [_metric(result, rules, arguments) for result in status.get("metricResults") or []],
    }


def _metric(
    result: Mapping[str, Any], rules: Mapping[str, Mapping[str, Any]], arguments: Mapping[str, str]
) -> dict[str, Any]:
    rule = rules.get(result["name"], {})
    return {
        "metric": result["name"],
        "phase": result.get("phase", ""),
        "message": result.get("message", ""),
        "success": _filled(str(rule.get("successCondition", "")), arguments),
        "failure": _filled(str(rule.get("failureCondition", "")), arguments),
        "measurements": [
            {
                "phase": each.get("phase", ""),
                "value": each.get("value", ""),
                "message": each.get("message", ""),
                "at": each.get("finishedAt") or each.get("startedAt"),
            }
            for each in result.get("measurements") or []
        ],
    }


def _filled(text: str, arguments: Mapping[str, str]) -> str:
    return _ARGUMENT.sub(lambda match: arguments.get(match[1], match[0]), text)


def _message(rollout: Mapping[str, Any]) -> str:
    """What the controller says of the abort; empty where it says nothing of one any more."""
    for condition in (rollout.get("status") or {}).get("conditions") or []:
        if condition.get("type") == "Progressing" and condition.get("reason") == "RolloutAborted":
            return str(condition.get("message", ""))
    return ""


def _judged(report: JudgeReport) -> Mapping[str, str]:
    """Metric to the judge's reason, where it let the metric fail."""
    metric = {check: name for name, check in _CHECKS.items()}
    failed = [each for each in report.judgements if each.get("verdict") == Verdict.FAIL]
    return {metric[each["check"]]: str(each["reason"]) for each in failed if each.get("check") in metric}


def _reason(
    failed: Sequence[Mapping[str, Any]], message: str, undecided: Sequence[str], judged: Mapping[str, str]
) -> str:
    """One line: the gates that closed with what they saw, else the controller's words and who could not decide."""
    if failed:
        return "; ".join(dict.fromkeys(_sentence(each, judged) for each in failed))
    said = message or "no gate closed: a person or the progress deadline aborted it"
    return f"{said}; could not decide: {', '.join(dict.fromkeys(undecided))}" if undecided else said


def _sentence(metric: Mapping[str, Any], judged: Mapping[str, str]) -> str:
    if metric["phase"] == "Error":
        problems = [each["message"] for each in metric["measurements"] if each["message"]]
        return f"{metric['metric']} could not be asked: {(problems or [metric['message']])[-1]}"
    if metric["metric"] in judged:
        return f"{metric['metric']} failed: {judged[metric['metric']]}"
    return f"{metric['metric']} failed with {last_values(metric)}"


def last_values(metric: Mapping[str, Any]) -> str:
    """The values that decided, the latest last."""
    said = [
        each["value"] or each["message"] for each in metric["measurements"] if each["phase"] == metric["phase"]
    ] or [each["value"] for each in metric["measurements"]]
    return ", ".join(said[-_SHOWN:]) or "nothing"


def _links(rollout: Mapping[str, Any], runs: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """The release's links, from the analyses where there are any: the Rollout's own are the next release's by then."""
    return dict(_annotated([rollout, *runs]))


def _annotated(objects: Sequence[Mapping[str, Any]]) -> Iterator[tuple[str, str]]:
    for item in objects:
        for key, value in (item["metadata"].get("annotations") or {}).items():
            if key.startswith(_LINK):
                yield key.removeprefix(_LINK), value
