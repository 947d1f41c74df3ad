"""Where a development cluster comes from: KUBECONFIG names one, kind where an engine runs, else built from source.

What `up` made is remembered in `build/cluster/cluster.json`, so that `down` ends the same one, never somebody
else's.
"""

import os
import platform
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from pathlib import Path

from models.declaration import did_you_mean
from models.errors import ConfigError
from pipelines.jsonfile import read_json, write_json

STATE = Path("build/cluster")
KUBECONFIG = STATE / "kubeconfig"
_RECORD = STATE / "cluster.json"
# An engine's client is on many machines whose daemon is not there: it has this long to say so.
_ENGINE_SECONDS = 20.0


class Provider(StrEnum):
    """The ways to a cluster."""

    GIVEN = "given"
    KIND = "kind"
    SOURCE = "source"


@dataclass(frozen=True)
class Machine:
    """What decides which way is open.

    Attributes:
        system: `Linux`, `Darwin`, ...
        root: whether this user is root.
        programs: which of `kind`, `go` and `kubectl` are on PATH.
        engine: `docker` or `podman`, whichever answers; empty for none.
    """

    system: str
    root: bool
    programs: frozenset[str]
    engine: str


@dataclass(frozen=True)
class Cluster:
    """A cluster that is up.

    Attributes:
        kubeconfig: file that leads to it.
        registry: `host[:port][/path]` that images are pushed to and pulled from under the same name; empty if unknown.
        plain_http: whether the registry is spoken to without TLS.
        modules: whether upstream's manifests come from Go modules, since no Git host need be reached.
    """

    provider: Provider
    kubeconfig: Path
    registry: str
    plain_http: bool = False
    modules: bool = False


def look_around() -> Machine:
    """This machine."""
    programs = frozenset(name for name in ("kind", "go", "kubectl") if shutil.which(name))
    return Machine(platform.system(), hasattr(os, "geteuid") and os.geteuid() == 0, programs, _engine())


def choose(root: Path, environment: Mapping[str, str], machine: Machine) -> Provider:
    """The way to take.

    Args:
        root: the checkout, whose cluster.json says what is up already.
        environment: MAINLINE_CLUSTER names one; else KUBECONFIG, unless it is a copy of what `up` wrote itself.

    Raises:
        ConfigError: no such way, or it is not open here; every reason is told.
    """
    wanted = environment.get("MAINLINE_CLUSTER", "")
    names = [str(each) for each in Provider]
    if wanted and wanted not in names:
        hint = did_you_mean(wanted, names)
        rule = f"must be one of {', '.join(names)}"
        raise ConfigError([f"MAINLINE_CLUSTER: got {wanted!r}, {rule}{', ' + hint if hint else ''}"])
    made = recorded(root)
    if wanted:
        reasons = closed(Provider(wanted), environment, machine)
        if reasons:
            raise ConfigError([f"cluster: {wanted}: {reason}" for reason in reasons])
        return Provider(wanted)
    if made is not None and _is_ours(root, made, environment):
        return made.provider
    found = {way: closed(way, environment, machine) for way in Provider}
    for way, reasons in found.items():
        if not reasons:
            return way
    raise ConfigError([f"cluster: {way}: {reason}" for way, reasons in found.items() for reason in reasons])


def closed(way: Provider, environment: Mapping[str, str], machine: Machine) -> list[str]:
    """Why a way is not open here; empty if it is."""
    if way is Provider.GIVEN:
        if not environment.get("KUBECONFIG"):
            return ["KUBECONFIG is not set: name the file of a cluster that is yours to fill"]
        return [] if "kubectl" in machine.programs else ["kubectl: not on PATH"]
    if way is Provider.KIND:
        reasons = [f"{name}: not on PATH" for name in ("kind", "kubectl") if name not in machine.programs]
        return [*reasons, *([] if machine.engine else ["neither docker nor podman answers: start one"])]
    reasons = [] if machine.system == "Linux" else [f"got {machine.system}, must be Linux"]
    reasons += [] if machine.root else ["must be root: it makes network namespaces, mounts and cgroups"]
    return reasons + ([] if "go" in machine.programs else ["go: not on PATH; binaries are built from Go modules"])


def given(environment: Mapping[str, str]) -> Cluster:
    """The cluster that KUBECONFIG names; MAINLINE_REGISTRY says where its images go.

    Raises:
        ConfigError: a file that is not there.
    """
    path = Path(environment["KUBECONFIG"].split(os.pathsep)[0]).expanduser()
    if not path.is_file():
        raise ConfigError([f"KUBECONFIG: got {path}, must be a file"])
    plain_http = environment.get("MAINLINE_REGISTRY_PLAIN_HTTP", "") == "1"
    return Cluster(Provider.GIVEN, path.resolve(), environment.get("MAINLINE_REGISTRY", ""), plain_http)


def record(root: Path, cluster: Cluster) -> None:
    """Remembers what is up, and copies the kubeconfig of a cluster made here to build/cluster/kubeconfig."""
    (root / STATE).mkdir(parents=True, exist_ok=True)
    if cluster.provider is not Provider.GIVEN:
        copy = root / KUBECONFIG
        copy.unlink(missing_ok=True)
        copy.touch(mode=0o600)
        copy.write_bytes(cluster.kubeconfig.read_bytes())
    write_json(root / _RECORD, {**asdict(cluster), "kubeconfig": str(cluster.kubeconfig)})


def recorded(root: Path) -> Cluster | None:
    """What `up` remembered; None where nothing is up."""
    path = root / _RECORD
    if not path.exists():
        return None
    found = read_json(path)
    return Cluster(
        Provider(found["provider"]),
        Path(found["kubeconfig"]),
        str(found["registry"]),
        bool(found["plain_http"]),
        bool(found["modules"]),
    )


def forget(root: Path) -> None:
    """Removes what spoke of a cluster that is gone; the images' logs stay."""
    for name in ("cluster.json", "kubeconfig", "images.json", "bases.json"):
        (root / STATE / name).unlink(missing_ok=True)


def _is_ours(root: Path, made: Cluster, environment: Mapping[str, str]) -> bool:
    named = environment.get("KUBECONFIG", "")
    return not named or Path(named).expanduser().resolve() in (made.kubeconfig.resolve(), (root / KUBECONFIG).resolve())


def _engine() -> str:
    for name in ("docker", "podman"):
        if shutil.which(name) and _answers(name):
            return name
    return ""


def _answers(engine: str) -> bool:
    try:
        done = subprocess.run([engine, "info"], capture_output=True, timeout=_ENGINE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return False
    return done.returncode == 0
