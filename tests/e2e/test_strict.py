"""Everything that a cluster is ever given is accepted by an API server that takes no field it does not know.

Only full definitions of kinds say what fields there are: with Argo Workflows' minimal ones any field passes, so a bad
specimen of each kind must be refused.
"""

from collections.abc import Iterator, Mapping

import pytest

from tests.e2e import given
from tests.e2e.figures import Figures
from tests.e2e.strict.built import Object, Source, part_kinds, sources
from tests.e2e.strict.checking import Checking, checking, misspelt, places
from tests.e2e.waiting import say

pytestmark = pytest.mark.e2e
SOURCES = sources()


@pytest.fixture(scope="module")
def server(cluster: given.Cluster) -> Iterator[Checking]:
    """The cluster's API server."""
    with checking(cluster.kube, part_kinds()) as found:
        yield found


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Mapping[str, list[Object]]:
    """Objects by the name of their source."""
    return {each.name: list(each.make(tmp_path_factory.mktemp("built"))) for each in SOURCES}


@pytest.fixture(scope="module")
def specimens(built: Mapping[str, list[Object]]) -> Mapping[str, Object]:
    """Of each kind the object that says most."""
    found: dict[str, Object] = {}
    for item in (each for objects in built.values() for each in objects):
        if item["kind"] not in found or len(str(item)) > len(str(found[item["kind"]])):
            found[item["kind"]] = item
    return found


@pytest.mark.parametrize("source", SOURCES, ids=str)
def test_all_objects_are_accepted(server: Checking, built: Mapping[str, list[Object]], source: Source) -> None:
    assert built[source.name]
    refusals = [refusal for item in built[source.name] if (refusal := server.refusal(item))]
    assert not refusals, "\n".join(refusals)


# A word that is wrong where it matters, by kind.
BAD = {
    "Rollout": ("spec", "strategy"),
    "AnalysisTemplate": ("spec", "metrics", 0),
    "WorkflowTemplate": ("spec", "templates", 0),
    "CronWorkflow": ("spec",),
    "WorkflowEventBinding": ("spec", "event"),
    "NetworkPolicy": ("spec",),
    "Deployment": ("spec", "template", "spec", "containers", 0),
    "ScaledObject": ("spec",),
    "TraefikService": ("spec", "weighted"),
    "IngressRoute": ("spec", "routes", 0),
}


@pytest.mark.parametrize("kind", BAD)
def test_a_misspelled_field_is_refused(server: Checking, specimens: Mapping[str, Object], kind: str) -> None:
    item = specimens[kind]
    assert server.refusal(item) == ""
    refusal = server.refusal(misspelt(item, BAD[kind]))
    assert "misspelt" in refusal, f"{kind}: any field passes: are its full definitions installed?"


def test_definitions_take_few_unknown_fields(
    server: Checking, specimens: Mapping[str, Object], figures: Figures
) -> None:
    """Every mapping of one object of each kind, with a field too many. Labels, selectors and data take any."""
    closed = total = 0
    for kind, item in sorted(specimens.items()):
        known = [path for path in places(item) if not _free(path)]
        taken = [path for path in known if not server.refusal(misspelt(item, path))]
        closed, total = closed + len(known) - len(taken), total + len(known)
        said = f"; any field in {', '.join('.'.join(map(str, path)) for path in taken)}" if taken else ""
        say(f"{kind}: {len(known) - len(taken)} of {len(known)} mappings take no unknown field{said}")
    figures.note("strict", "mappings", total)
    figures.note("strict", "mappings_that_are_checked", closed)
    assert closed > 0.9 * total


def _free(path: tuple[str | int, ...]) -> bool:
    names = ("labels", "annotations", "matchLabels", "data", "stringData", "nodeSelector", "selector", "hard")
    return any(each in names for each in path)
