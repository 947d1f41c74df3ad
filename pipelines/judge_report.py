"""The judge's report of a version, fetched while it is there: its page for a person, its judgements as evidence."""

import json
import urllib.request
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

LINK = "link.argocd.argoproj.io/judge-report"
NAME = "judge-report.html"
# A page has some hundred kilobytes.
_MAX_BYTES = 8 * 2**20
_ANSWER_SECONDS = 10


@dataclass(frozen=True)
class JudgeReport:
    """What the judge said of a version.

    Attributes:
        url: of its page; empty where no analysis names one.
        page: as the judge shows it; empty where it could not be had.
        judgements: as it answers Argo, one a check, what decides first; for this candidate alone.
        problem: why there is no page; empty where there is one.
    """

    url: str = ""
    page: bytes = b""
    judgements: Sequence[Mapping[str, Any]] = field(default_factory=list)
    problem: str = ""


def fetch(runs: Sequence[Mapping[str, Any]], pod_hash: str) -> JudgeReport:
    """The report that the analyses link to; a judge that does not answer is said, not waited for.

    Args:
        runs: AnalysisRuns.
        pod_hash: of the candidate; an older attempt's judgements are left out.
    """
    links = [(run["metadata"].get("annotations") or {}).get(LINK, "") for run in runs]
    url = next((link for link in reversed(links) if link.startswith(("http://", "https://"))), "")
    if not url:
        return JudgeReport(problem="no analysis names one")
    try:
        page, told = _get(url), json.loads(_get(f"{url}.json"))
        judgements = [each for each in told["judgements"] if each["candidate_hash"] == pod_hash]
    except (OSError, ValueError, KeyError, TypeError) as err:  # OSError: urllib's own errors and timeouts too
        return JudgeReport(url, problem=f"{url} did not answer: {err}")
    return JudgeReport(url, page, judgements)


def _get(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=_ANSWER_SECONDS) as answer:  # noqa: S310  (http or https, checked)
        return bytes(answer.read(_MAX_BYTES))
