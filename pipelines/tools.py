"""The binary that the loop needs and pip cannot bring: kustomize, in `.tools/`. Called by `make tools` and the build.

In this order: what `.tools/` already has, `kustomize` or `kubectl kustomize` on PATH where its version suits, the
pinned release checked against its sha256, the pinned Go module built by a Go that is here. `versions.env` pins.
Runs before there is a virtual environment: standard library only.
"""

import hashlib
import io
import json
import os
import platform
import shlex
import shutil
import subprocess
import sys
import tarfile
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Mapping
from pathlib import Path

from models.errors import MainlineError
from pipelines.versions import ToolMissing, ToolTampered, kustomize_on_path, output, read_versions, suits

ROOT = Path(__file__).resolve().parent.parent

# A network that swallows packets must not hold up the build from source: the archive is 5 MB.
DOWNLOAD_TIMEOUT_SECONDS = 20

Say = Callable[[str], None]


def kustomize(root: Path) -> list[str]:
    """The command that `build FOLDER` is appended to.

    Args:
        root: the checkout whose `.tools/` is asked first; then that of the installed `pipelines`, then PATH.

    Raises:
        ToolMissing: none of them has a kustomize that suits.
    """
    for folder in dict.fromkeys((root, ROOT)):
        if (folder / ".tools" / "kustomize").exists():
            return [str(folder / ".tools" / "kustomize")]
    found = kustomize_on_path(read_versions(root if (root / "versions.env").exists() else ROOT))
    if found is None:
        raise ToolMissing(f"kustomize: neither in {root / '.tools'} nor on PATH (or too old): run `make tools`")
    return found[0]


def install(root: Path, *, say: Say, ways: "tuple[Way, ...] | None" = None) -> str:
    """Puts a kustomize that suits into `.tools/` and records which.

    Args:
        root: the checkout.
        say: gets one line for each thing done.
        ways: how to get a binary, in order; for tests.

    Returns:
        The version that is now in `.tools/`.

    Raises:
        ToolTampered: a download's sha256 is not the pinned one.
        ToolMissing: no way led to a kustomize; the message says what each said and what to install.
    """
    versions = read_versions(root)
    tools = root / ".tools"
    present = output([str(tools / "kustomize"), "version"]) if (tools / "kustomize").exists() else None
    if suits(present, versions):
        say(f"kustomize {present}: already in .tools/")
        return str(present)
    tools.mkdir(exist_ok=True)
    reasons = []
    for way in ways if ways is not None else (_from_path, _from_release, _from_module):
        with tempfile.TemporaryDirectory(dir=tools, prefix="getting-") as scratch:
            try:
                binary, source = way(versions, Path(scratch), say)
            except ToolMissing as err:
                reasons.append(str(err))
                say(f"kustomize: {err}")
                continue
            binary.chmod(0o755)
            version = output([str(binary), "version"])
            if not suits(version, versions):
                reasons.append(f"{source} says its version is {version}")
                continue
            record = Path(scratch) / "record"
            said = json.dumps({"source": source, "version": version})
            record.write_text(said + "\n", encoding="utf-8")
            os.replace(record, tools / "kustomize.json")
            os.replace(binary, tools / "kustomize")
        say(f"kustomize {version}: from {source}")
        return str(version)
    raise ToolMissing(
        f"kustomize could not be had: {'; '.join(reasons)}. Put kustomize {versions['KUSTOMIZE_VERSION']}, or a "
        f"kubectl that carries at least {versions['KUSTOMIZE_MIN']}, on PATH, or install Go, and run `make tools` again"
    )


Way = Callable[[Mapping[str, str], Path, Say], tuple[Path, str]]


def _from_path(versions: Mapping[str, str], scratch: Path, say: Say) -> tuple[Path, str]:
    found = kustomize_on_path(versions)
    if found is None:
        raise ToolMissing(f"PATH has none from {versions['KUSTOMIZE_MIN']} up to {versions['KUSTOMIZE_BELOW']}")
    command, _ = found
    wrapper = scratch / "kustomize"
    body = command[2] if command[0] == "/bin/sh" else f'exec {shlex.quote(command[0])} "$@"'
    wrapper.write_text(f"#!/bin/sh\n{body}\n", encoding="utf-8")
    return wrapper, "kubectl on PATH" if command[0] == "/bin/sh" else f"{command[0]} on PATH"


def _from_release(versions: Mapping[str, str], scratch: Path, say: Say) -> tuple[Path, str]:
    machine = {"x86_64": "amd64", "aarch64": "arm64"}.get(platform.machine().lower(), platform.machine().lower())
    here = f"{platform.system().lower()}_{machine}"
    expected = versions.get(f"KUSTOMIZE_SHA256_{here}")
    if expected is None:
        raise ToolMissing(f"versions.env pins no release for {here}")
    url = versions["KUSTOMIZE_URL"].format(version=versions["KUSTOMIZE_VERSION"], platform=here)
    if not url.startswith("https://"):
        raise ToolTampered(f"versions.env: KUSTOMIZE_URL: got {url!r}, must begin with https://")
    say(f"kustomize: downloading {url}")
    try:
        with urllib.request.urlopen(url, timeout=DOWNLOAD_TIMEOUT_SECONDS) as answer:  # noqa: S310  (https, see above)
            archive: bytes = answer.read()
    except (urllib.error.URLError, OSError) as err:
        raise ToolMissing(f"the release could not be downloaded ({err})") from err
    return unpack(archive, expected, scratch), url


def unpack(archive: bytes, expected: str, scratch: Path) -> Path:
    """The binary in a release archive, after its sha256 was found to be the expected one.

    Raises:
        ToolTampered: it is another, or the archive holds no file `kustomize`.
    """
    got = hashlib.sha256(archive).hexdigest()
    if got != expected:
        raise ToolTampered(f"kustomize: the download's sha256 is {got}, versions.env says {expected}: not installed")
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        member = tar.extractfile("kustomize") if "kustomize" in tar.getnames() else None
        if member is None:
            raise ToolTampered("kustomize: the archive holds no file `kustomize`: not installed")
        (scratch / "kustomize").write_bytes(member.read())
    return scratch / "kustomize"


def _from_module(versions: Mapping[str, str], scratch: Path, say: Say) -> tuple[Path, str]:
    go = shutil.which("go")
    if go is None:
        raise ToolMissing("there is no Go to build it with")
    module = f"{versions['KUSTOMIZE_MODULE']}@v{versions['KUSTOMIZE_VERSION']}"
    # Go's caches in the scratch folder: nothing stays in the home folder. modcacherw: else it cannot be removed.
    environment = os.environ | {
        "GOBIN": str(scratch),
        "GOPATH": str(scratch / "path"),
        "GOMODCACHE": str(scratch / "modules"),
        "GOCACHE": str(scratch / "cache"),
        "GOFLAGS": "-trimpath -modcacherw",
        "GOTOOLCHAIN": "local",
        "GOTELEMETRY": "off",
        "CGO_ENABLED": "0",
    }
    started = time.monotonic()
    command = [go, "install", module]
    with (scratch / "log").open("w+", encoding="utf-8") as log:
        with subprocess.Popen(command, env=environment, stdout=log, stderr=subprocess.STDOUT) as process:
            while process.poll() is None:
                say(f"kustomize: building {module} ({time.monotonic() - started:.0f} s; about a minute)")
                try:
                    process.wait(timeout=10)  # a line each ten seconds tells that it lives and floods no log
                except subprocess.TimeoutExpired:
                    continue
        log.seek(0)
        tail = log.read().strip().splitlines()[-3:]
    if process.returncode != 0:
        raise ToolMissing(f"`go install {module}` failed: {' / '.join(tail)}")
    return scratch / "kustomize", module


def main() -> int:
    """`python -m pipelines.tools`: exit 0 when `.tools/kustomize` is there, else the error's exit code."""
    try:
        install(ROOT, say=lambda line: print(line, file=sys.stderr, flush=True))
    except MainlineError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
