"""Which way to a cluster is taken, why the others are closed, and that `down` never ends somebody else's."""

import json
import stat
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.cluster import provider
from pipelines.cluster.provider import Cluster, Machine, Provider, choose, closed, forget, given, record, recorded

ALL = frozenset({"kind", "go", "kubectl"})
BARE = Machine("Linux", root=True, programs=frozenset({"go"}), engine="")
LAPTOP = Machine("Darwin", root=False, programs=ALL, engine="docker")


def machine(
    system: str = "Linux", *, root: bool = True, programs: frozenset[str] = ALL, engine: str = "docker"
) -> Machine:
    return Machine(system, root, programs, engine)


@pytest.mark.parametrize(
    ("environment", "here", "way"),
    [
        pytest.param({"KUBECONFIG": "/c"}, LAPTOP, Provider.GIVEN, id="a given cluster comes first"),
        pytest.param({}, LAPTOP, Provider.KIND, id="kind where an engine answers"),
        pytest.param({}, machine(), Provider.KIND, id="kind also where source would do"),
        pytest.param({}, BARE, Provider.SOURCE, id="source on a bare machine"),
        pytest.param({}, machine(engine=""), Provider.SOURCE, id="an engine's client alone is none"),
        pytest.param({"MAINLINE_CLUSTER": "source"}, machine(), Provider.SOURCE, id="what is asked for"),
        pytest.param(
            {"KUBECONFIG": "/c", "MAINLINE_CLUSTER": "kind"}, LAPTOP, Provider.KIND, id="asked for, and given"
        ),
    ],
)
def test_way(tmp_path: Path, environment: dict[str, str], here: Machine, way: Provider) -> None:
    assert choose(tmp_path, environment, here) is way


@pytest.mark.parametrize(
    ("way", "here", "reasons"),
    [
        pytest.param(Provider.KIND, machine(programs=frozenset({"kubectl"})), ["kind: not on PATH"], id="no kind"),
        pytest.param(
            Provider.KIND, machine(engine=""), ["neither docker nor podman answers: start one"], id="no engine"
        ),
        pytest.param(Provider.SOURCE, machine("Darwin"), ["got Darwin, must be Linux"], id="not Linux"),
        pytest.param(
            Provider.SOURCE,
            machine(root=False, programs=frozenset()),
            [
                "must be root: it makes network namespaces, mounts and cgroups",
                "go: not on PATH; binaries are built from Go modules",
            ],
            id="neither root nor go",
        ),
        pytest.param(Provider.SOURCE, BARE, [], id="open"),
    ],
)
def test_closed(way: Provider, here: Machine, reasons: list[str]) -> None:
    assert closed(way, {}, here) == reasons


def test_no_way_tells_every_reason(tmp_path: Path) -> None:
    with pytest.raises(ConfigError) as refused:
        choose(tmp_path, {}, Machine("Darwin", root=False, programs=frozenset(), engine=""))
    told = refused.value.problems
    assert "cluster: given: KUBECONFIG is not set: name the file of a cluster that is yours to fill" in told
    assert "cluster: kind: kind: not on PATH" in told
    assert "cluster: source: got Darwin, must be Linux" in told


def test_asked_for_but_closed_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cluster: source: must be root"):
        choose(tmp_path, {"MAINLINE_CLUSTER": "source"}, machine(root=False))


def test_misspelt_way_gets_a_hint(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="got 'sources', must be one of given, kind, source, did you mean"):
        choose(tmp_path, {"MAINLINE_CLUSTER": "sources"}, BARE)


@pytest.fixture
def made(tmp_path: Path) -> Cluster:
    """A cluster that `up` made from source and remembered."""
    kubeconfig = tmp_path / "cache" / "admin.kubeconfig"
    kubeconfig.parent.mkdir()
    kubeconfig.write_text("leads to it", encoding="utf-8")
    cluster = Cluster(Provider.SOURCE, kubeconfig, "10.90.0.1:5000", plain_http=True, modules=True)
    record(tmp_path, cluster)
    return cluster


def test_record_is_read_back(tmp_path: Path, made: Cluster) -> None:
    assert recorded(tmp_path) == made


def test_kubeconfig_is_copied_for_its_owner_alone(tmp_path: Path, made: Cluster) -> None:
    copy = tmp_path / provider.KUBECONFIG
    assert copy.read_text(encoding="utf-8") == "leads to it"
    assert stat.S_IMODE(copy.stat().st_mode) == 0o600


def test_what_is_up_is_kept_even_where_kind_would_come_first(tmp_path: Path, made: Cluster) -> None:
    assert choose(tmp_path, {}, LAPTOP) is Provider.SOURCE


@pytest.mark.parametrize("name", ["build/cluster/kubeconfig", "cache/admin.kubeconfig"])
def test_own_kubeconfig_is_not_a_given_one(tmp_path: Path, made: Cluster, name: str) -> None:
    assert choose(tmp_path, {"KUBECONFIG": str(tmp_path / name)}, machine()) is Provider.SOURCE


def test_another_kubeconfig_is_a_given_one(tmp_path: Path, made: Cluster) -> None:
    assert choose(tmp_path, {"KUBECONFIG": str(tmp_path / "theirs")}, machine()) is Provider.GIVEN


def test_forgotten_cluster_is_gone(tmp_path: Path, made: Cluster) -> None:
    forget(tmp_path)
    assert recorded(tmp_path) is None
    assert not (tmp_path / provider.KUBECONFIG).exists()


def test_given_cluster_is_not_copied(tmp_path: Path) -> None:
    theirs = tmp_path / "theirs"
    theirs.write_text("theirs", encoding="utf-8")
    cluster = given({"KUBECONFIG": str(theirs), "MAINLINE_REGISTRY": "ghcr.io/you"})
    record(tmp_path, cluster)
    assert cluster == Cluster(Provider.GIVEN, theirs, "ghcr.io/you")
    assert not (tmp_path / provider.KUBECONFIG).exists()
    assert json.loads((tmp_path / "build/cluster/cluster.json").read_text(encoding="utf-8"))["provider"] == "given"


def test_given_file_that_is_absent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"KUBECONFIG: got .*absent, must be a file"):
        given({"KUBECONFIG": str(tmp_path / "absent")})
