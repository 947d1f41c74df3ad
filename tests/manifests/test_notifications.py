"""What Argo Rollouts tells, what the event's binding reads of it and what the workflow takes: one set of names."""

import json
import re
from pathlib import Path
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parents[2]
PHASES = ("completed", "aborted")


def load(path: str) -> Any:
    return yaml.safe_load((ROOT / path).read_text(encoding="utf-8"))


CONFIG: dict[str, str] = load("manifests/platform/argo-rollouts/configmap-notifications.yaml")["data"]
BINDING = load("manifests/delivery/workfloweventbinding-rollout.yaml")["spec"]


def told(phase: str) -> dict[str, Any]:
    """The message, with a word for each value that is filled in."""
    webhook = yaml.safe_load(CONFIG[f"template.rollout-{phase}"])["webhook"]["mainline"]
    assert webhook["method"] == "POST"
    assert webhook["path"] == "/api/v1/events/delivery/rollout"
    return dict(json.loads(re.sub(r"{{.*?}}", '"value"', webhook["body"])))


def test_both_endings_are_told_to_the_event_endpoint_in_the_same_words() -> None:
    completed, aborted = (told(phase) for phase in PHASES)
    assert (completed.pop("phase"), aborted.pop("phase")) == PHASES
    assert completed == aborted


def test_every_rollout_of_ours_is_subscribed_to_both() -> None:
    (subscription,) = yaml.safe_load(CONFIG["subscriptions"])
    assert subscription["selector"] == "app.kubernetes.io/part-of=mainline"
    assert subscription["recipients"] == ["mainline"]
    for trigger in subscription["triggers"]:
        (condition,) = yaml.safe_load(CONFIG[f"trigger.{trigger}"])
        assert "when" not in condition, "an ending is told whatever the rollout's old status says"
        assert f"template.{condition['send'][0]}" in CONFIG
    assert len(subscription["triggers"]) == len(PHASES)


def test_a_waiting_server_does_not_hold_a_rollout_for_long() -> None:
    service = yaml.safe_load(CONFIG["service.webhook.mainline"])
    # nanoseconds: a duration in words is refused by the engine
    assert service["retryMax"] * service["retryWaitMax"] <= 10**9


def test_the_binding_reads_what_is_told_and_the_workflow_takes_what_it_gives() -> None:
    used = set(re.findall(r"payload\.(\w+)", json.dumps(BINDING)))
    assert used <= set(told("aborted"))
    given = {each["name"] for each in BINDING["submit"]["arguments"]["parameters"]}
    template = load("manifests/delivery/workflowtemplate-rollout-ended.yaml")["spec"]
    wanted = {each["name"] for each in template["arguments"]["parameters"] if "value" not in each}
    assert given == wanted
