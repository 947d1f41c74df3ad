"""Arguments that a Rollout passes are resolved as by Argo Rollouts."""

from pathlib import Path
from typing import Any

import pytest
import yaml

from models.errors import ConfigError
from pipelines.rehearsal.errors import Unsupported
from pipelines.rehearsal.references import passed_arguments

TABLE: dict[str, Any] = yaml.safe_load(Path(__file__).with_name("arguments.yaml").read_text())
PASSED = [each for each in TABLE["arguments"] if "value" in each or "valueFrom" in each]
STANDS = {"LATEST": "5f8c", "STABLE": "77d9", "NAME": "serving", "NAMESPACE": "iris-staging"}
ROLLOUT = {
    "metadata": {"name": "serving", "namespace": "iris-staging", **TABLE["rollout"]["metadata"]},
    "spec": {**TABLE["rollout"]["spec"], "template": {"spec": {"containers": [{"image": "nobody"}]}}},
}


def resolved(*arguments: dict[str, Any]) -> dict[str, str]:
    return passed_arguments(arguments, ROLLOUT, {"Latest": "5f8c", "Stable": "77d9"}, "here")


@pytest.mark.parametrize("argument", PASSED, ids=[each["name"] for each in PASSED])
def test_value(argument: dict[str, Any]) -> None:
    assert resolved(argument) == {argument["name"]: STANDS.get(argument["is"], argument["is"])}


@pytest.mark.parametrize("path", ["spec.nothing", "spec.template", "spec.template.spec.containers[4].image"])
def test_a_field_that_leads_to_no_value_is_wrong(path: str) -> None:
    with pytest.raises(ConfigError, match=r"leads to no single value"):
        resolved({"name": "a", "valueFrom": {"fieldRef": {"fieldPath": path}}})


@pytest.mark.parametrize(
    "source", [{"secretKeyRef": {"name": "s", "key": "k"}}, {"fieldRef": {"fieldPath": "metadata"}}]
)
def test_another_kind_is_named(source: dict[str, Any]) -> None:
    with pytest.raises(Unsupported, match="is not covered"):
        resolved({"name": "a", "valueFrom": source})
