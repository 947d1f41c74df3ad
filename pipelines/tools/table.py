"""What each tool is: its programs, how it tells its version, how PATH may already have it, how Go builds it."""

import json
import re
import shlex
import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from pipelines.versions import output, suits

Commands = dict[str, list[str]]


@dataclass(frozen=True)
class Tool:
    """One tool.

    Attributes:
        name: as in `make tools`, and its first program's.
        programs: files that it puts into `.tools/`.
        packages: Go packages within its module that the programs are built from.
        stamp: Go variable that the build writes the version into.
        build_minutes: how long that takes, for a person who waits.
        version: what a program's command tells as its version; None where it does not answer.
        on_path: by program, the command of PATH that suits versions.env; None where there is none.
        remedy: what to do where no way led to it.
    """

    name: str
    programs: tuple[str, ...]
    packages: tuple[str, ...]
    stamp: str
    build_minutes: str
    version: Callable[[list[str]], str | None]
    on_path: Callable[[Mapping[str, str]], Commands | None]
    remedy: str

    @property
    def key(self) -> str:
        """What its keys in versions.env begin with."""
        return self.name.upper()


def _kustomize_version(command: list[str]) -> str | None:
    return output([*command, "version"])


def _kustomize_on_path(versions: Mapping[str, str]) -> Commands | None:
    own = shutil.which("kustomize")
    if own and suits(_kustomize_version([own]), versions):
        return {"kustomize": [own]}
    kubectl = shutil.which("kubectl")
    if kubectl is None:
        return None
    answer = output([kubectl, "version", "--client", "-o", "json"])
    try:
        version = str(json.loads(answer or "{}").get("kustomizeVersion"))
    except json.JSONDecodeError:
        return None
    if not suits(version, versions):
        return None
    # Answers `version` for as long as that kubectl is there.
    path = shlex.quote(kubectl)
    wrapper = (
        f'case "$1" in build) shift; exec {path} kustomize "$@";; version) test -x {path} && echo {version};; '
        '*) echo "kubectl kustomize only builds" >&2; exit 2;; esac'
    )
    return {"kustomize": ["/bin/sh", "-c", wrapper, "kustomize"]}


def _prometheus_version(command: list[str]) -> str | None:
    told = re.match(r"(?:prometheus|promtool), version (\S+)", output([*command, "--version"]) or "")
    return told[1] if told else None


def _prometheus_on_path(versions: Mapping[str, str]) -> Commands | None:
    found = {program: shutil.which(program) for program in ("prometheus", "promtool")}
    commands = {program: [path] for program, path in found.items() if path}
    told = {_prometheus_version(command) for command in commands.values()}
    one = len(commands) == len(found) and len(told) == 1
    return commands if one and suits(told.pop(), versions, "PROMETHEUS") else None


KUSTOMIZE = Tool(
    name="kustomize",
    programs=("kustomize",),
    packages=(".",),
    stamp="sigs.k8s.io/kustomize/api/provenance.version",
    build_minutes="a minute",
    version=_kustomize_version,
    on_path=_kustomize_on_path,
    remedy="Put kustomize {KUSTOMIZE_VERSION}, or a kubectl that carries at least {KUSTOMIZE_MIN}, on PATH, "
    "or install Go, and run `make tools` again",
)
PROMETHEUS = Tool(
    name="prometheus",
    programs=("prometheus", "promtool"),
    packages=("./cmd/prometheus", "./cmd/promtool"),
    stamp="github.com/prometheus/common/version.Version",
    build_minutes="five minutes",
    version=_prometheus_version,
    on_path=_prometheus_on_path,
    remedy="Put prometheus and promtool of at least {PROMETHEUS_MIN} on PATH (Debian: apt-get install prometheus; "
    "macOS: brew install prometheus), or install Go, and run `make tools` again",
)
TOOLS = {tool.name: tool for tool in (KUSTOMIZE, PROMETHEUS)}
