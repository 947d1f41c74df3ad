"""The table of specimens holds together, and each case's repository builds at both commits."""

from pathlib import Path

import pytest

from models.release import read_release, release_path
from pipelines.build import build_overlay, objects, pod
from tests.specimens.catalogue import Ending, cases
from tests.specimens.recipes import RECIPES
from tests.specimens.repository import ENVIRONMENT, repository
from tests.specimens.server import FAULTS, NEVER_READY

CASES = {str(case): case for case in cases()}


def test_every_case_is_named_once() -> None:
    assert len(CASES) == len(cases())


@pytest.mark.parametrize("name", CASES)
def test_a_case_names_recipes_and_faults_that_there_are(name: str) -> None:
    case = CASES[name]
    assert {RECIPES[case.stable].model, RECIPES[case.candidate].model} == {case.model}
    assert case.server in {"", NEVER_READY, *FAULTS}
    assert bool(case.gates) == (case.ending is not Ending.PROMOTED)


def test_the_head_releases_the_candidate_with_its_fault(tmp_path: Path) -> None:
    case = CASES["slow-iris"]
    made = repository(case, tmp_path)
    assert read_release(made.root / release_path(ENVIRONMENT, "iris")).version == "2"
    command = pod(objects(build_overlay(made.root, ENVIRONMENT, "iris")))
    assert command.command[:2] == ("python", "-c")
    assert "tests.specimens.server" in command.command[2]
    assert command.environment["SPECIMEN"] == "slow"
    assert made.base != made.head
