"""The API server as `pipelines.kube` speaks to it: what exists, conflicts and unknown fields are told apart."""

from collections.abc import Iterator

import pytest

from pipelines.kube import KubeRefused, Object
from tests.e2e.given import NAMESPACE, Cluster

pytestmark = pytest.mark.e2e
MAP = ("v1", "ConfigMap")
PLACE = "e2e-kube"


@pytest.fixture(scope="module")
def place(cluster: Cluster) -> Iterator[None]:
    """A namespace of its own."""
    cluster.kube.create({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": PLACE}})
    yield
    cluster.kube.delete(NAMESPACE, PLACE)


def a_map(name: str, **data: str) -> Object:
    """A ConfigMap."""
    metadata = {"name": name, "namespace": PLACE, "labels": {"of": "e2e"}}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}


@pytest.mark.usefixtures("place")
def test_what_is_created_twice_stays_as_it_is(cluster: Cluster) -> None:
    assert cluster.kube.create(a_map("twice", a="1"))
    assert not cluster.kube.create(a_map("twice", a="2"))
    found = cluster.kube.get(MAP, "twice", PLACE)
    assert found is not None
    assert found["data"] == {"a": "1"}


@pytest.mark.usefixtures("place")
def test_fields_of_another_manager_are_refused_and_taken_over_by_force(cluster: Cluster) -> None:
    kube = cluster.kube
    assert kube.apply(a_map("owned", a="1"), manager="one")["data"] == {"a": "1"}
    with pytest.raises(KubeRefused, match=r"conflict with .*\.data\.a"):
        kube.apply(a_map("owned", a="2"), manager="two")
    assert kube.apply(a_map("owned", a="2"), manager="two", force=True)["data"] == {"a": "2"}
    assert kube.apply(a_map("owned"), manager="two", dry_run=True)["metadata"]["name"] == "owned"


@pytest.mark.usefixtures("place")
def test_field_that_the_schema_has_not_is_refused(cluster: Cluster) -> None:
    for wrong in (a_map("wrong") | {"dat": {}}, a_map("wrong") | {"kind": "ConfigMop"}):
        with pytest.raises(KubeRefused):
            cluster.kube.apply(wrong, manager="one")
        with pytest.raises(KubeRefused):
            cluster.kube.create(wrong)


@pytest.mark.usefixtures("place")
def test_list_watch_change_and_delete(cluster: Cluster) -> None:
    kube = cluster.kube
    for name in ("b", "a"):
        kube.create(a_map(name, x="1"))
    names = [each["metadata"]["name"] for each in kube.list(MAP, PLACE, labels="of=e2e")]
    assert names == sorted(names)
    assert {"a", "b"} <= set(names)
    assert "data" not in kube.merge(MAP, "a", PLACE, {"data": None})
    seen = {(what, found["metadata"]["name"]) for what, found in kube.watch(MAP, PLACE, labels="of=e2e", seconds=1)}
    assert {("ADDED", "a"), ("ADDED", "b")} <= seen
    assert kube.delete(MAP, "a", PLACE)
    assert not kube.delete(MAP, "a", PLACE)
    assert kube.get(MAP, "a", PLACE) is None
