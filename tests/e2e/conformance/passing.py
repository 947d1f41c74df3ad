"""Arguments that a Rollout passes to its analysis, by arguments.yaml: as rehearsal and controller resolve them."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import yaml

from pipelines.rehearsal.references import passed_arguments
from tests.e2e.conformance import manifests, walk
from tests.e2e.conformance.acts import House
from tests.e2e.conformance.answers import provider
from tests.e2e.conformance.manifests import Object
from tests.e2e.conformance.table import FOLDER

NAME, PATH = "passing", "/passing/passing"
_TEMPLATE = "passing-all"


@dataclass(frozen=True)
class Hashes:
    """Pod-template hashes of a Rollout's revisions."""

    latest: str
    stable: str


@dataclass(frozen=True)
class Passing:
    """A Rollout in two versions, and the template that declares its arguments."""

    template: Object
    versions: tuple[Object, Object]

    @classmethod
    def read(cls, address: str) -> "Passing":
        """As the table is now."""
        metric = {"name": NAME, "provider": provider("scalar", address, PATH)}
        spec = {"args": [_declared(each) for each in _table()["arguments"]], "metrics": [metric]}
        return cls(manifests.named("AnalysisTemplate", _TEMPLATE, spec), (_rollout("1"), _rollout("2")))


@dataclass
class Passes:
    """It on its way."""

    house: House
    passing: Passing
    name: str = NAME
    expected: float = 15.0
    stable: str = ""

    def start(self) -> None:
        """Makes the template and what is out before."""
        self._apply(self.passing.template)
        self._apply(self.passing.versions[0])

    def ended(self) -> bool:
        """Whether the candidate's analysis was made."""
        latest = self.house.rollouts.latest(NAME)
        if not self.stable:
            if latest is not None and walk.stands(latest, 1):
                self.stable = latest["status"]["stableRS"]
                self._apply(self.passing.versions[1])
            return bool(walk.invalid(latest))
        return bool(self.house.runs.owned(NAME))

    def read(self) -> dict[str, str]:
        """The values that its AnalysisRun has by name; those of hashes as the table calls them."""
        latest = self.house.rollouts.latest(NAME) or {}
        status = latest.get("status", {})
        names = {status.get("currentPodHash"): "LATEST", self.stable: "STABLE"}
        runs = self.house.runs.owned(NAME)
        arguments = runs[-1]["spec"].get("args", []) if runs else []
        return {each["name"]: names.get(each.get("value"), each.get("value", "")) for each in arguments}

    def _apply(self, manifest: Object) -> Object:
        return self.house.kube.apply(manifest, manager="conformance", force=True)


def said(hashes: Hashes) -> dict[str, str]:
    """The rehearsal's values by name; those of hashes as the table calls them."""
    arguments = _table()["arguments"]
    passed = [each for each in arguments if "value" in each or "valueFrom" in each]
    names = {"Latest": hashes.latest, "Stable": hashes.stable}
    values = passed_arguments(passed, _rollout("2"), names, "arguments.yaml")
    stands = {hashes.latest: "LATEST", hashes.stable: "STABLE"}
    own = {each["name"]: str(each.get("of_template", "")) for each in arguments}
    return own | {name: stands.get(value, value) for name, value in values.items()}


def differing(seen: dict[str, str]) -> Iterator[tuple[str, tuple[str, str]]]:
    """Names of the arguments that the two sides resolve differently, each with both values."""
    mine = said(Hashes("of the latest", "of the stable"))
    for name in mine:
        if mine[name] != seen.get(name):
            yield name, (mine[name], seen.get(name, "none"))


def _table() -> dict[str, Any]:
    found: dict[str, Any] = yaml.safe_load((FOLDER / "arguments.yaml").read_text(encoding="utf-8"))
    return found


def _declared(argument: Object) -> Object:
    own = {"value": argument["of_template"]} if "of_template" in argument else {}
    return {"name": argument["name"], **own}


def _rollout(version: str) -> Object:
    listed = _table()
    passed = [{key: each[key] for key in ("name", "value", "valueFrom") if key in each} for each in listed["arguments"]]
    passed = [each for each in passed if len(each) > 1]
    step = {"analysis": {"templates": [{"templateName": _TEMPLATE}], "args": passed}}
    spec = {**listed["rollout"]["spec"], "strategy": {"canary": {"steps": [step]}}}
    found = manifests.bare_rollout(NAME, spec, version)
    found["metadata"] |= listed["rollout"]["metadata"]
    return found
