"""Who stands on which side of a comparison: the canary's place, and the stable version's."""

from pathlib import Path

import pytest

from pipelines.lint.judge import judge

FIXTURES = Path(__file__).parent / "fixtures"
CANARY = (FIXTURES / "ML010-good.yaml").read_text(encoding="utf-8")
COMPARED = (FIXTURES / "ML034-good.yaml").read_text(encoding="utf-8")
LATEST = "valueFrom:\n                  podTemplateHashValue: Latest"
LABEL = 'rollouts_pod_template_hash="{{args.canary-hash}}"'
WEB = """\
apiVersion: argoproj.io/v1alpha1
kind: AnalysisTemplate
metadata: {name: judge}
spec:
  args: [{name: one-hash}, {name: other-hash}]
  metrics:
    - name: judge
      successCondition: result == "pass"
      failureCondition: result == "fail"
      provider:
        web:
          url: http://judge/judge
          jsonBody: {candidate_hash: "{{args.one-hash}}", stable_hash: "{{args.other-hash}}"}
---
apiVersion: argoproj.io/v1alpha1
kind: Rollout
metadata: {name: shop}
spec:
  strategy:
    blueGreen:
      activeService: shop
      previewService: shop-preview
      prePromotionAnalysis:
        templates: [{templateName: judge}]
        args:
          - {name: one-hash, valueFrom: {podTemplateHashValue: Latest}}
          - {name: other-hash, valueFrom: {podTemplateHashValue: Stable}}
"""


def given(one: str, other: str) -> str:
    """The web specimen with two addresses in place of the hashes."""
    lines = WEB[: WEB.index("          - {name: one-hash, valueFrom")]
    lines = lines.replace("one-hash", "preview-address").replace("other-hash", "active-address")
    lines = lines.replace("candidate_hash", "url").replace("stable_hash", "with")
    return f"{lines}          - {one}\n          - {other}\n"


def swapped(text: str, one: str, other: str) -> str:
    return text.replace(one, "?").replace(other, one).replace("?", other)


EXPERIMENT = """\
kind: Rollout
metadata: {name: shop}
spec:
  strategy:
    canary:
      steps:
        - setWeight: 10
        - experiment:
            templates: [{name: new, specRef: canary}, {name: old, specRef: stable}]
            analyses:
              - name: x
                templateName: elsewhere
                args:
                  - {name: canary-hash, value: "{{templates.new.podTemplateHash}}"}
                  - {name: stable-hash, value: "{{templates.old.podTemplateHash}}"}
"""


WRONG = {
    "the stable pods of an experiment": ("ML033", EXPERIMENT.replace("templates.new", "templates.old")),
    "the canary pods of an experiment on both sides": ("ML034", EXPERIMENT.replace("templates.old", "templates.new")),
    "the stable hash for the canary": ("ML033", CANARY.replace(LATEST, LATEST.replace("Latest", "Stable"))),
    "the stable hash by its field": (
        "ML033",
        CANARY.replace(LATEST, "valueFrom: {fieldRef: {fieldPath: status.stableRS}}"),
    ),
    "a hash that somebody wrote": ("ML033", CANARY.replace(LATEST, "value: 6d5f8b7c9d")),
    "an empty hash": ("ML033", CANARY.replace(LATEST, 'value: ""')),
    "a hash in the query": ("ML033", CANARY.replace("{{args.canary-hash}}", "6d5f8b7c9d")),
    "any hash": ("ML033", CANARY.replace(LABEL, 'rollouts_pod_template_hash=~".+"')),
    "a written hash under another name": (
        "ML033",
        CANARY.replace(LATEST, "value: 6d5f8b7c9d").replace("canary-hash", "pods"),
    ),
    "the stable hash under another name": (
        "ML010",
        CANARY.replace("canary-hash", "hash").replace("Latest", "Stable"),
    ),
    "of a template that is elsewhere": (
        "ML033",
        WEB.split("---\n")[1].replace("one-hash", "canary-hash").replace("Latest", "Stable"),
    ),
    "the stable hash in the canary's field": ("ML033", WEB.replace("Latest", "Stable")),
    "the canary's hash in both fields": ("ML034", WEB.replace("Stable", "Latest")),
    "sides swapped in the question": ("ML033", swapped(WEB, "{{args.one-hash}}", "{{args.other-hash}}")),
    "the active service for the preview": (
        "ML033",
        given("{name: preview-address, value: 'http://shop:8080'}", "{name: active-address, value: 'http://other'}"),
    ),
    "one address for both": (
        "ML034",
        given("{name: preview-address, value: 'http://x'}", "{name: active-address, value: 'http://x'}"),
    ),
    "one hash for both": ("ML034", COMPARED.replace("Stable", "Latest")),
    "one argument on both sides": ("ML034", COMPARED.replace("{{args.stable-hash}}", "{{args.canary-hash}}")),
}
RIGHT = {
    "an experiment of both": EXPERIMENT,
    "the web specimen": WEB,
    "an address for each": given(
        "{name: preview-address, value: 'http://shop-preview'}", "{name: active-address, value: 'http://shop'}"
    ),
    "the service of the canary beside a longer name": given(
        "{name: preview-address, value: 'http://shop-preview'}", "{name: active-address, value: 'http://shop-preview2'}"
    ),
    "thresholds that are alike": COMPARED.replace(
        "              - name: stable-hash\n",
        "              - {name: canary-limit, value: '1'}\n              - {name: stable-limit, value: '1'}\n"
        "              - name: stable-hash\n",
    ).replace(
        "    - name: stable-hash\n  metrics",
        "    - name: stable-hash\n    - name: canary-limit\n    - name: stable-limit\n  metrics",
    ),
    "NaN taken away": CANARY.replace(
        "/\n", f"/\n            (sum(increase(x_total{{{LABEL}}}[2m])) == sum(increase(x_total{{{LABEL}}}[2m]))) /\n"
    ),
}


@pytest.mark.parametrize("name", WRONG)
def test_side_that_holds_the_wrong_version_is_found(name: str) -> None:
    rule, text = WRONG[name]
    assert rule in [each.rule for each in judge({"x.yaml": text}).findings if each.severity == "error"]


@pytest.mark.parametrize("name", RIGHT)
def test_sides_that_differ_are_let_through(name: str) -> None:
    assert [each for each in judge({"x.yaml": RIGHT[name]}).findings if each.rule in ("ML010", "ML033", "ML034")] == []
