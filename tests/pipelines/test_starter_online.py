"""The online gates that a new model begins with."""

from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from models.online_gates import OnlineGates
from models.online_rules import online_problems
from pipelines.starter.online import online_yaml
from pipelines.tools import ROOT


def starter(n_rows: int) -> dict[str, Any]:
    read = yaml.safe_load(online_yaml(n_rows))["online"]
    assert isinstance(read, dict)
    return read


@cache
def shipped() -> list[dict[str, Any]]:
    files: list[Path] = sorted(ROOT.glob("models/*/gates.yaml"))
    return [yaml.safe_load(file.read_text(encoding="utf-8"))["spec"]["online"] for file in files]


@pytest.mark.parametrize("n_rows", [60, 400, 100_000])
def test_they_are_as_gates_must_be(n_rows: int) -> None:
    OnlineGates.model_validate(starter(n_rows))
    assert not list(online_problems(starter(n_rows)))


def test_they_are_what_the_shipped_models_agree_on() -> None:
    for gate, values in starter(400).items():
        for field, value in values.items():
            known = {model[gate][field] for model in shipped()}
            if field != "reason" and len(known) == 1:
                assert {value} == known, f"{gate}.{field}"


def test_no_more_distinct_rows_are_asked_for_than_a_small_table_has() -> None:
    assert starter(60)["inputs"]["min_distinct_rows"] == 30
    assert starter(400)["replay"]["min_distinct_rows"] == 50
    assert starter(100_000)["predictions"]["min_distinct_rows"] == 100
