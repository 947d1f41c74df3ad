"""What the cluster's MLflow says of a model: its versions and aliases, over MLflow's own API."""

from dataclasses import dataclass
from typing import Any

from tests.e2e.given import Cluster
from tests.e2e.waiting import NotYet, until


@dataclass(frozen=True)
class Version:
    """A registered version, by its number, with its tags."""

    number: str
    tags: dict[str, str]

    @property
    def digest(self) -> str:
        """Of its bundle."""
        return self.tags["mainline.digest"]


@dataclass(frozen=True)
class Registry:
    """The cluster's."""

    cluster: Cluster

    def wait_version(self, model: str, commit: str, *, seconds: float) -> Version:
        """The version that a commit's training registered."""

        def look() -> Version:
            found = self._ask("model-versions/search", filter=f"name='{model}'", max_results="1000")
            versions = [_version(each) for each in found.get("model_versions", [])]
            for each in versions:
                if each.tags.get("mainline.commit") == commit:
                    return each
            raise NotYet(f"{len(versions)} versions, none of {commit[:12]}")

        return until(f"a version of {model} of {commit[:12]}", look, seconds=seconds)

    def wait_alias(self, model: str, alias: str, number: str, *, seconds: float) -> None:
        """Returns when an alias names a version."""

        def look() -> None:
            found = self._ask("registered-models/get", name=model)["registered_model"].get("aliases", [])
            told = {each["alias"]: each["version"] for each in found}
            if told.get(alias) != number:
                raise NotYet(f"aliases are {told or 'none'}")

        until(f"{model}'s alias {alias} is version {number}", look, seconds=seconds)

    def _ask(self, what: str, **query: str) -> Any:
        return self.cluster.call("mainline", "services/mlflow:5000", f"api/2.0/mlflow/{what}", query=query)


def _version(found: dict[str, Any]) -> Version:
    return Version(str(found["version"]), {each["key"]: each["value"] for each in found.get("tags", [])})
