"""The repository's promises about itself: one version of a package everywhere, pinned actions, a true README."""

import re
import tomllib
from pathlib import Path

import pytest
import yaml

ROOT = Path(__file__).resolve().parent.parent
GROUPS = sorted(tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"])
PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[a-z,]+\])?==([^\s;\\]+)", re.MULTILINE)
TARGET = re.compile(r"^([a-z][a-z0-9-]*):", re.MULTILINE)


def pins(group: str) -> dict[str, str]:
    return dict(PIN.findall((ROOT / "requirements" / f"{group}.txt").read_text()))


@pytest.mark.parametrize("group", GROUPS)
def test_every_dependency_group_has_a_hashed_lock_that_names_no_host(group: str) -> None:
    text = (ROOT / "requirements" / f"{group}.txt").read_text()
    assert text.count("--hash=sha256:") >= len(pins(group)) > 0
    assert "://" not in text


@pytest.mark.parametrize("group", [group for group in GROUPS if group not in ("dev", "torch", "drift", "bootstrap")])
def test_a_package_has_one_version_here_and_in_every_image(group: str) -> None:
    here = pins("dev")
    assert {name: version for name, version in pins(group).items() if here.get(name) != version} == {}


@pytest.mark.parametrize("group", GROUPS)
def test_the_lock_holds_what_pyproject_pins(group: str) -> None:
    declared = tomllib.loads((ROOT / "pyproject.toml").read_text())["dependency-groups"][group]
    pinned = dict(PIN.findall("\n".join(line for line in declared if isinstance(line, str))))
    assert {name: version for name, version in pinned.items() if pins(group).get(name) != version} == {}


def test_workflows_call_make_targets_that_exist_and_pin_actions_by_commit() -> None:
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    for path in (ROOT / ".github" / "workflows").glob("*.yaml"):
        workflow = yaml.safe_load(path.read_text())
        assert workflow["permissions"] == {}, path
        for job in workflow["jobs"].values():
            called = set(job.get("strategy", {}).get("matrix", {}).get("target", []))
            for step in job["steps"]:
                called |= set(re.findall(r"\bmake ([a-z][a-z0-9-]*)", step.get("run", "")))
                if "uses" in step:
                    assert re.fullmatch(r"[\w-]+/[\w-]+@[0-9a-f]{40}", step["uses"]), step["uses"]
            assert called, path
            assert called <= targets, path


@pytest.mark.parametrize("room", ["serving", "drift"])
def test_every_module_of_a_server_is_in_its_image(room: str) -> None:
    copied = re.findall(r"^COPY (?!--from)(.+) \S+/$", (ROOT / f"services/{room}/Dockerfile").read_text(), re.MULTILINE)
    found = {path for line in copied for pattern in line.split() for path in ROOT.glob(pattern)}
    needed = [*ROOT.glob("models/*.py"), *ROOT.glob("services/*.py"), *ROOT.glob(f"services/{room}/**/*.py")]
    assert [path for path in needed if path not in found] == []


def test_the_readme_is_short_and_its_paths_and_commands_exist() -> None:
    text = (ROOT / "README.md").read_text()
    assert len(text.splitlines()) < 200
    targets = set(TARGET.findall((ROOT / "Makefile").read_text()))
    assert set(re.findall(r"(?:`|^)make ([a-z][a-z0-9-]*)", text, re.MULTILINE)) <= targets
    named = re.findall(
        r"`((?:models|pipelines|services|manifests|kustomize|tests|requirements|\.github|\.ci)/[^`* ]*)`", text
    )
    assert len(named) > 10
    concrete = [re.sub(r"<m>|MODEL|NAME", "diabetes", re.sub(r"<env>|ENV", "staging", path)) for path in named]
    assert [path for path in concrete if not (ROOT / path).exists()] == []


def test_the_readme_s_mainline_commands_exist() -> None:
    from pipelines.cli import app

    known = {
        command.name or (command.callback.__name__ if command.callback else "") for command in app.registered_commands
    }
    text = (ROOT / "README.md").read_text()
    assert set(re.findall(r"(?:^|`|bin/)mainline ([a-z]+)", text, re.MULTILINE)) <= known
