"""gates.yaml: what is read, and every way in which it is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.errors import ConfigError
from models.gates_spec import load_gates

WriteModel = Callable[..., Path]
Spoil = Callable[[dict[str, Any]], object]


def test_correct_gates_are_read(write_model: WriteModel) -> None:
    gates = load_gates(write_model())
    assert gates.offline.limits["rmse"].max == 65.0
    assert gates.offline.champion.margin == 1.0
    assert gates.online.errors.max_ratio == 0.005


def test_offline_half_does_not_see_online_gates(write_model: WriteModel, gates: dict[str, Any]) -> None:
    before = load_gates(write_model()).offline_half()
    gates["spec"]["online"]["errors"]["max_ratio"] = 0.004
    assert load_gates(write_model(gate=gates)).offline_half() == before
    gates["spec"]["offline"]["limits"]["rmse"]["max"] = 64.0
    assert load_gates(write_model(gate=gates)).offline_half() != before


def _offline(gates: dict[str, Any]) -> dict[str, Any]:
    offline: dict[str, Any] = gates["spec"]["offline"]
    return offline


CASES: list[tuple[str, Spoil, str]] = [
    (
        "metric",
        lambda g: _offline(g).update(metric="rmze"),
        'spec.offline.metric: got "rmze", must be one of rmse, mae, r2, accuracy, log_loss, macro_f1, '
        'did you mean "rmse"?',
    ),
    (
        "metric-of-other-task",
        lambda g: _offline(g).update(metric="accuracy"),
        'spec.offline.metric: got "accuracy", a regression is measured by rmse, mae, r2',
    ),
    (
        "limit-of-other-task",
        lambda g: _offline(g)["limits"].update(log_loss={"max": 1.0, "reason": "r"}),
        'spec.offline.limits: got "log_loss", a regression is measured by rmse, mae, r2',
    ),
    (
        "limit-of-no-metric",
        lambda g: _offline(g)["limits"].update(rmsle={"max": 1.0, "reason": "r"}),
        'spec.offline.limits.rmsle: got "rmsle", must be one of rmse, mae, r2, accuracy, log_loss, macro_f1',
    ),
    (
        "limit-key",
        lambda g: _offline(g)["limits"].update(mae={"maxx": 1.0, "reason": "r"}),
        'spec.offline.limits.mae.maxx: got 1.0, unknown key, did you mean "max"?',
    ),
    (
        "limit-empty",
        lambda g: _offline(g)["limits"].update(mae={"reason": "r"}),
        "spec.offline.limits.mae: got {'reason': 'r'}, needs min, max or both",
    ),
    (
        "limit-crossed",
        lambda g: _offline(g)["limits"].update(mae={"min": 2.0, "max": 1.0, "reason": "r"}),
        "spec.offline.limits.mae.min: got 2.0, must not exceed max, 1.0",
    ),
    (
        "limit-nan",
        lambda g: _offline(g)["limits"]["rmse"].update(max=float("nan")),
        "spec.offline.limits.rmse.max: got nan, must be a finite number",
    ),
    (
        "no-limits",
        lambda g: _offline(g).update(limits={}),
        "spec.offline.limits: got {}",
    ),
    (
        "no-reason",
        lambda g: _offline(g)["parity"].pop("reason"),
        "spec.offline.parity.reason: got nothing, required",
    ),
    (
        "empty-reason",
        lambda g: _offline(g)["parity"].update(reason=" "),
        'spec.offline.parity.reason: got " "',
    ),
    (
        "slice-gap-without-slices",
        lambda g: None,
        "spec.offline.slice_gap: got {'max': 15.0, 'reason': 'r'}, needs data.slices in model.yaml",
    ),
    (
        "margin",
        lambda g: _offline(g)["champion"].update(margin=-1.0),
        "spec.offline.champion.margin: got -1.0, must be greater than or equal to 0",
    ),
    (
        "missing-gate",
        lambda g: _offline(g).pop("validation"),
        "spec.offline.validation: got nothing, required",
    ),
    (
        "api-version",
        lambda g: g.update(apiVersion="v1"),
        'apiVersion: got "v1", must be one of mainline.dev/v1',
    ),
    (
        "name-not-folder",
        lambda g: g["metadata"].update(name="home"),
        'metadata.name: got "home", must equal the folder\'s name, "house"',
    ),
    (
        "applied",
        lambda g: g["metadata"].update(annotations={}),
        'metadata.annotations.config.kubernetes.io/local-config: got nothing, must be "true": gates are never applied',
    ),
]


@pytest.mark.parametrize(("name", "spoil", "line"), CASES, ids=[case[0] for case in CASES])
def test_wrong_gates_are_refused_in_one_line(
    write_model: WriteModel, house: dict[str, Any], gates: dict[str, Any], name: str, spoil: Spoil, line: str
) -> None:
    if name == "slice-gap-without-slices":
        house["data"]["slices"] = []
    spoil(gates)
    folder = write_model(house, gates)
    with pytest.raises(ConfigError) as caught:
        load_gates(folder)
    found = [problem.removeprefix(f"{folder}/gates.yaml: ") for problem in caught.value.problems]
    assert len(found) == 1, found
    assert found[0].startswith(line)


def test_broken_model_yaml_is_told_by_the_spec_alone(write_model: WriteModel) -> None:
    assert load_gates(write_model("name: [")).metadata.name == "house"
