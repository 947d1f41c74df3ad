"""How a tool is had, in this order: PATH where its version suits, the pinned release, the pinned Go module."""

import hashlib
import io
import json
import os
import platform
import shlex
import shutil
import subprocess
import tarfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from pipelines.tools.table import Tool
from pipelines.versions import ToolMissing, ToolTampered

# A network that swallows packets must not hold up the build from source: the archive is 5 MB.
DOWNLOAD_TIMEOUT_SECONDS = 20

Say = Callable[[str], None]
# Puts the tool's programs into a scratch folder and tells where they are from, or raises ToolMissing.
Way = Callable[[Tool, Mapping[str, str], Path, Say], str]


def from_path(tool: Tool, versions: Mapping[str, str], scratch: Path, say: Say) -> str:
    """What PATH has, as small scripts that start it."""
    found = tool.on_path(versions)
    if found is None:
        raise ToolMissing(f"PATH has none from {versions[f'{tool.key}_MIN']} up to {versions[f'{tool.key}_BELOW']}")
    for program, command in found.items():
        body = command[2] if command[0] == "/bin/sh" else f'exec {shlex.quote(command[0])} "$@"'
        (scratch / program).write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    first = found[tool.name][0]
    return "kubectl on PATH" if first == "/bin/sh" else f"{first} on PATH"


def from_release(tool: Tool, versions: Mapping[str, str], scratch: Path, say: Say, wanted: str = "") -> str:
    """The release archive for a platform, this machine's or the wanted one, once its sha256 is the pinned one.

    Raises:
        ToolMissing: none is pinned, or it cannot be downloaded.
        ToolTampered: it is another.
    """
    here = wanted or f"{platform.system().lower()}_{_machine()}"
    expected = versions.get(f"{tool.key}_SHA256_{here}")
    if expected is None:
        raise ToolMissing(f"versions.env pins no release for {here}")
    url = versions[f"{tool.key}_URL"].format(version=versions[f"{tool.key}_VERSION"], platform=here)
    if not url.startswith("https://"):
        raise ToolTampered(f"versions.env: {tool.key}_URL: got {url!r}, must begin with https://")
    say(f"{tool.name}: downloading {url}")
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_SECONDS) as answer:  # noqa: S310  (https, see above)
            archive: bytes = answer.read()
    except (urllib.error.URLError, OSError) as err:
        raise ToolMissing(f"the release could not be downloaded ({err})") from err
    unpack(archive, expected, scratch, tool.programs)
    return url


def unpack(archive: bytes, expected: str, scratch: Path, programs: tuple[str, ...] = ("kustomize",)) -> Path:
    """The first program of a release archive, after its sha256 was found to be the expected one.

    Raises:
        ToolTampered: it is another, or the archive lacks a program.
    """
    got = hashlib.sha256(archive).hexdigest()
    if got != expected:
        raise ToolTampered(
            f"{programs[0]}: the download's sha256 is {got}, versions.env says {expected}: not installed"
        )
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for program in programs:
            member = tar.extractfile(program) if program in tar.getnames() else None
            if member is None:
                raise ToolTampered(f"{programs[0]}: the archive holds no file `{program}`: not installed")
            (scratch / program).write_bytes(member.read())
    return scratch / programs[0]


def linux() -> str:
    """Linux on this machine's processor, which is what a container engine here runs."""
    return f"linux_{_machine()}"


def _machine() -> str:
    machine = platform.machine().lower()
    return {"x86_64": "amd64", "aarch64": "arm64"}.get(machine, machine)


def from_module(tool: Tool, versions: Mapping[str, str], scratch: Path, say: Say, wanted: str = "") -> str:
    """The programs, built by the Go that is here from the pinned module and the sums of its own go.sum."""
    go = shutil.which("go")
    if go is None:
        raise ToolMissing("there is no Go to build it with")
    module = f"{versions[f'{tool.key}_MODULE']}@{versions[f'{tool.key}_MODULE_VERSION']}"
    # Go's caches in the scratch folder: nothing stays in the home folder. modcacherw: else it cannot be removed.
    environment = os.environ | {
        "GOPATH": str(scratch / "path"),
        "GOMODCACHE": str(scratch / "modules"),
        "GOCACHE": str(scratch / "cache"),
        "GOFLAGS": "-trimpath -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOTELEMETRY": "off",
        "GOWORK": "off",
        "CGO_ENABLED": "0",
        **(dict(zip(("GOOS", "GOARCH"), wanted.split("_"), strict=True)) if wanted else {}),
    }
    command = [go, "mod", "download", "-json", module]
    done = subprocess.run(command, env=environment, cwd=scratch, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ToolMissing(f"`go mod download {module}` failed: {(done.stderr or done.stdout).strip()[-300:]}")
    # In the module's own folder, not `go install`: that refuses a go.mod with exclusions, which Prometheus has.
    stamp = f"-s -w -X {tool.stamp}={_told(tool, versions)}"
    build = [go, "build", "-ldflags", stamp, "-o", f"{scratch}{os.sep}", *tool.packages]
    status, tail = _watched(build, Path(json.loads(done.stdout)["Dir"]), environment, scratch / "log", tool, say)
    if status != 0:
        raise ToolMissing(f"building {module} failed: {tail}")
    return module


def _told(tool: Tool, versions: Mapping[str, str]) -> str:
    """The version as the tool's own releases tell it."""
    version = versions[f"{tool.key}_VERSION"]
    return f"v{version}" if tool.name == "kustomize" else version


def _watched(
    command: list[str], folder: Path, environment: Mapping[str, str], log: Path, tool: Tool, say: Say
) -> tuple[int, str]:
    """The exit status of a long build and the end of what it printed."""
    started = time.monotonic()
    with log.open("w+", encoding="utf-8") as output:
        with subprocess.Popen(
            command, cwd=folder, env=dict(environment), stdout=output, stderr=subprocess.STDOUT
        ) as process:
            while process.poll() is None:
                seconds = time.monotonic() - started
                say(f"{tool.name}: building it with Go ({seconds:.0f} s; about {tool.build_minutes})")
                try:
                    process.wait(timeout=10)  # a line each ten seconds tells that it lives and floods no log
                except subprocess.TimeoutExpired:
                    continue
        output.seek(0)
        return process.returncode, " / ".join(output.read().strip().splitlines()[-3:])


WAYS: tuple[Way, ...] = (from_path, from_release, from_module)
