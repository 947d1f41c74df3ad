"""What the cluster's MLflow says of a model: its versions and aliases."""

from dataclasses import dataclass

from pipelines import lineage, tracking
from pipelines.tracking import Version
from tests.e2e.stores import Stores
from tests.e2e.waiting import NotYet, until


@dataclass(frozen=True)
class Registry:
    """The cluster's."""

    stores: Stores

    def wait_version(self, model: str, commit: str, *, seconds: float) -> Version:
        """The version that a commit's training registered."""

        def look() -> Version:
            with self.stores.reachable():
                versions = tracking.versions(model)
            for each in versions:
                if each.tags.get(lineage.COMMIT) == commit:
                    return each
            raise NotYet(f"{len(versions)} versions, none of {commit[:12]}")

        return until(f"a version of {model} of {commit[:12]}", look, seconds=seconds)

    def wait_alias(self, model: str, alias: str, number: str, *, seconds: float) -> None:
        """Returns when an alias names a version."""

        def look() -> None:
            with self.stores.reachable():
                told = tracking.aliases(model)
            if told.get(alias) != number:
                raise NotYet(f"aliases are {dict(told) or 'none'}")

        until(f"{model}'s alias {alias} is version {number}", look, seconds=seconds)
