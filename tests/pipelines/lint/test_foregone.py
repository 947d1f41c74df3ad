"""Verdicts that stand before anything was measured."""

import pytest

from pipelines.lint.judge import judge

WEB = 'web: {url: "http://judge/judge", jsonPath: "{$.verdict}"}'
PROMETHEUS = "prometheus: {query: 'sum(up{rollouts_pod_template_hash=\"{{args.canary-hash}}\"})'}"
SCALAR = PROMETHEUS.replace("sum(up", "scalar(up")
DATADOG = 'datadog: {query: "avg:errors{canary}"}'


def rules(provider: str, success: str, failure: str) -> list[str]:
    conditions = [
        f"successCondition: '{success}'" if success else "",
        f"failureCondition: '{failure}'" if failure else "",
    ]
    lines = ["kind: AnalysisTemplate", "metadata: {name: x}", "spec:", "  args: [{name: canary-hash}]", "  metrics:"]
    lines += ["    - name: m", *(f"      {each}" for each in conditions if each), f"      provider: {{{provider}}}"]
    return [each.rule for each in judge({"x.yaml": "\n".join(lines)}).findings if each.severity == "error"]


OPEN = [
    (WEB, 'result != "fail"', ""),
    (WEB, 'result != "fail"', 'result == "fail"'),
    (WEB, "", 'result == "fail"'),
    (WEB, 'not (result in ["fail", "error"])', ""),
    (WEB, '!(result contains "fail")', 'result contains "fail"'),
    (WEB, 'result.verdict != "fail"', 'result.verdict == "fail"'),
    (WEB, 'result[0].verdict != "fail"', ""),
    (WEB, '(result.verdict ?? "pass") == "pass"', ""),
    (WEB, "true", ""),
    (WEB, "", "false"),
    (WEB, "len(result) >= 0", ""),
    (PROMETHEUS, "true", ""),
    (PROMETHEUS, "true", "false"),
    (PROMETHEUS, "len(result) >= 0", ""),
    (PROMETHEUS, "1 == 1", "1 == 2"),
    (SCALAR, "isNaN(result) || result >= 0 || result < 0", ""),
    (DATADOG, "result == nil || result != nil", ""),
]
CLOSED = [
    (WEB, 'result == "pass"', 'result == "fail"'),
    (WEB, 'result == "pass"', 'result != "pass"'),
    (WEB, 'result in ["pass", "warn"]', ""),
    (WEB, 'result.verdict == "pass"', 'result.verdict == "fail"'),
    (WEB, "result < 0.05", "result >= 0.05"),
    (WEB, "result", ""),
    (WEB, "result.ok", ""),
    (WEB, "len(result) == 0", ""),
    (PROMETHEUS, "len(result) > 0 && result[0] >= 1", "false"),
    (SCALAR, "result >= 0", "result < 0"),
    (DATADOG, "default(result, 1) < 0.05", ""),
]


@pytest.mark.parametrize("case", OPEN, ids=str)
def test_gate_that_anything_passes_is_found(case: tuple[str, str, str]) -> None:
    assert "ML035" in rules(*case)


@pytest.mark.parametrize("case", CLOSED, ids=str)
def test_gate_that_names_what_passes_is_let_through(case: tuple[str, str, str]) -> None:
    assert "ML035" not in rules(*case)
