"""The releases that a gate must stop, of tests/specimens' table, registered in the cluster like any other."""

from dataclasses import replace

from models.release import Release
from tests.e2e.releasing import Releases
from tests.specimens.catalogue import Case


def bad_release(releases: Releases, case: Case) -> Release:
    """The case's release: its bundle, on the sound image or a faulty one; a version of its own in any case."""
    recipe = case.candidate if case.candidate != case.stable else f"{case.model}-better"
    release = releases.register(recipe, tampered=case.release == "tampered")
    return replace(release, image=releases.faulty(case.server)) if case.server else release


def loses_requests(case: Case) -> bool:
    """Whether who reaches the candidate is not answered now and then."""
    return case.server not in ("", "slow", "late-slow", "later-slow", "leak") or case.candidate.endswith(
        ("-nan", "-rare")
    )
