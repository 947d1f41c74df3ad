"""What a pod of a built overlay runs here: literal variables, the revision's hash, and nothing else."""

from typing import Any

import pytest

from models.errors import ConfigError
from pipelines.build import POD_TEMPLATE_HASH, pod


def built(*variables: dict[str, Any]) -> list[dict[str, Any]]:
    container = {
        "image": "this-machine",
        "command": ["python", "-m", "services.serving"],
        "env": list(variables),
        "readinessProbe": {"httpGet": {"path": "/ready"}},
    }
    template = {"spec": {"containers": [container]}}
    return [{"kind": "Rollout", "metadata": {"name": "serving"}, "spec": {"template": template}}]


def from_field(path: str) -> dict[str, Any]:
    return {"name": "MAINLINE_POD_TEMPLATE_HASH", "valueFrom": {"fieldRef": {"fieldPath": path}}}


def test_the_variable_of_the_pod_template_hash_is_named_and_left_to_who_starts_it() -> None:
    command = pod(built({"name": "A", "value": "1"}, from_field(POD_TEMPLATE_HASH)))
    assert command.environment == {"A": "1"}
    assert command.hash_variables == ("MAINLINE_POD_TEMPLATE_HASH",)


@pytest.mark.parametrize(
    "variable",
    [
        from_field("metadata.name"),
        from_field("metadata.labels['app']"),
        {"name": "SECRET", "valueFrom": {"secretKeyRef": {"name": "s", "key": "k"}}},
        {"name": "EMPTY"},
    ],
    ids=["another field", "another label", "a secret", "nothing"],
)
def test_a_variable_from_elsewhere_is_refused_with_what_could_be_given(variable: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        pod(built(variable))
    (problem,) = caught.value.problems
    assert problem.startswith(f"Rollout: env {variable['name']}: got ")
    assert POD_TEMPLATE_HASH in problem
