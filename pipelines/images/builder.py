"""The container builder of this machine: docker, podman or buildah, whichever works, behind a few verbs.

All three build the same Dockerfiles: with BuildKit's mounts, cached layers, and times set to zero, so that the same
files give the same digest. Zero, not the commit's time: with that, a commit to our code would give the packages' layer
a new digest too, and every node would pull it again. docker sets the image's own times only: those of the files in its
layers stay the build's, since BuildKit's `rewrite-timestamp` does not go with an image store that unpacks (its issue
4230). Builders differ from each other in how they pack a layer, and buildah labels an image with its version.
"""

import json
import os
import re
import shutil
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from models.errors import ConfigError, MainlineError

# By preference: how to find out that it works, which for docker means that its daemon answers.
_PROBES: dict[str, tuple[str, ...]] = {
    "docker": ("docker", "version", "--format", "{{.Server.Version}}"),
    "podman": ("podman", "version", "--format", "{{.Client.Version}}"),
    "buildah": ("buildah", "version"),
}
_PROBE_SECONDS = 20.0
_TICK_SECONDS = 2.0
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_PUSHED = re.compile(r"digest: (sha256:[0-9a-f]{64})")

Tick = Callable[[float, str], None]


class BuilderMissing(MainlineError):  # noqa: N818  (states what is so)
    """No container builder works here."""


class BuildFailed(MainlineError):  # noqa: N818  (what happened)
    """An image could not be built or pushed; the end of the builder's own log is in the message."""


@dataclass(frozen=True)
class Order:
    """One image to build.

    Attributes:
        tag: `registry/name:tag` that it gets.
        dockerfile: path within the context.
        target: stage to build; empty for the last.
        arguments: build arguments.
        labels: of the image.
        secrets: files by the id that the Dockerfile mounts them under.
        plain_http: whether the base images' registry is spoken to without TLS.
    """

    tag: str
    dockerfile: str
    target: str
    arguments: Mapping[str, str]
    labels: Mapping[str, str]
    secrets: Mapping[str, Path]
    plain_http: bool = False


@dataclass(frozen=True)
class Builder:
    """docker, podman or buildah."""

    name: str

    def build(self, order: Order, context: Path, log: Path, tick: Tick, *, cached: bool = True) -> str:
        """Builds and tags an image; the id that this machine's store knows it by, which is the digest of all of it.

        Args:
            order: what to build.
            context: the folder that the Dockerfile copies from.
            log: gets the builder's output.
            tick: told every few seconds how far it is.
            cached: whether layers of former builds may be used.

        Raises:
            BuildFailed: see the log.
        """
        id_file = log.with_suffix(".id")
        id_file.unlink(missing_ok=True)
        _run(self.build_command(order, context, id_file, cached=cached), order.tag, log, tick)
        return id_file.read_text(encoding="utf-8").strip()

    def layers(self, image: str) -> list[str]:
        """Digests of an image's layers, unpacked, the base's first.

        Raises:
            BuildFailed: the store has no such image.
        """
        inspect = ["inspect", "--type", "image"] if self.name == "buildah" else ["image", "inspect"]
        done = subprocess.run([self.name, *inspect, image], capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise BuildFailed(f"{image}: `{self.name} {' '.join(inspect)}` failed: {done.stderr.strip()}")
        told = json.loads(done.stdout)
        layers = told["OCIv1"]["rootfs"]["diff_ids"] if self.name == "buildah" else told[0]["RootFS"]["Layers"]
        return [str(layer) for layer in layers]

    def push(self, tag: str, log: Path, tick: Tick, *, plain_http: bool = False) -> str:
        """Pushes an image; the digest that the registry knows it by.

        Raises:
            BuildFailed: see the log; or the builder told no digest.
        """
        digest_file = log.with_suffix(".digest")
        digest_file.unlink(missing_ok=True)
        _run(self.push_command(tag, digest_file, plain_http=plain_http), tag, log, tick)
        if self.name == "docker":
            told = _PUSHED.findall(log.read_text(encoding="utf-8"))
            digest = told[-1] if told else ""
        else:
            digest = digest_file.read_text(encoding="utf-8").strip()
        if not _DIGEST.fullmatch(digest):
            raise BuildFailed(f"{tag}: {self.name} told no digest after the push, got {digest!r}; see {log}")
        return digest

    def build_command(self, order: Order, context: Path, id_file: Path, *, cached: bool = True) -> list[str]:
        """The command that `build` runs."""
        options = ["--file", str(context / order.dockerfile), "--tag", order.tag, "--iidfile", str(id_file)]
        options += [] if cached else ["--no-cache"]
        if order.target:
            options += ["--target", order.target]
        arguments = dict(order.arguments)
        if self.name == "docker":
            arguments["SOURCE_DATE_EPOCH"] = "0"
        else:
            options += ["--layers", "--timestamp=0"]
            options += ["--tls-verify=false"] if order.plain_http else []
        if self.name == "buildah":
            # without the first, 1.28 leaves a container behind for each stage that is mounted
            options += ["--force-rm"]
            # chroot needs no OCI runtime, and so also works within a container
            options += [f"--isolation={os.environ.get('BUILDAH_ISOLATION') or 'chroot'}"]
        for name, value in arguments.items():
            options += ["--build-arg", f"{name}={value}"]
        for name, value in order.labels.items():
            options += ["--label", f"{name}={value}"]
        for name, path in order.secrets.items():
            options += ["--secret", f"id={name},src={path}"]
        return [self.name, "build", *options, str(context)]

    def push_command(self, tag: str, digest_file: Path, *, plain_http: bool) -> list[str]:
        """The command that `push` runs; docker speaks plain http where its daemon's own settings say so."""
        if self.name == "docker":
            return ["docker", "push", tag]
        options = ["--tls-verify=false"] if plain_http else []
        if plain_http and self.name == "buildah":
            options.append("--compression-level=1")  # that registry is near: sooner is worth more than smaller
        return [self.name, "push", *options, "--digestfile", str(digest_file), tag]


def detect(wanted: str = "") -> Builder:
    """The builder that works here, or the wanted one if it does.

    Raises:
        ConfigError: the wanted one is none that is known.
        BuilderMissing: none works; the message says why of each.
    """
    if wanted and wanted not in _PROBES:
        raise ConfigError([f"builder: got {wanted!r}, must be one of {', '.join(_PROBES)}"])
    reasons = []
    for name in [wanted] if wanted else _PROBES:
        reason = _reason_against(name)
        if not reason:
            return Builder(name)
        reasons.append(f"{name}: {reason}")
    raise BuilderMissing(f"no container builder works here: {'; '.join(reasons)}. Install one, or start its daemon")


def _reason_against(name: str) -> str:
    if shutil.which(name) is None:
        return "not on PATH"
    try:
        done = subprocess.run(_PROBES[name], capture_output=True, text=True, timeout=_PROBE_SECONDS, check=False)
    except subprocess.TimeoutExpired:
        return f"does not answer within {_PROBE_SECONDS:g} s"
    if done.returncode != 0:
        return (done.stderr.strip() or done.stdout.strip() or f"exit status {done.returncode}").splitlines()[-1]
    return ""


def _run(command: Sequence[str], what: str, log: Path, tick: Tick) -> None:
    """Runs a command whose output goes to `log`, telling its latest line every few seconds."""
    started = time.monotonic()
    with log.open("w+", encoding="utf-8", errors="replace") as output:
        # without the second, an attestation that holds the time of the build would be part of docker's image
        environment = {**os.environ, "DOCKER_BUILDKIT": "1", "BUILDX_NO_DEFAULT_ATTESTATIONS": "1"}
        process = subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT, env=environment
        )
        try:
            while process.poll() is None:
                tick(time.monotonic() - started, _last_line(log))
                try:
                    process.wait(_TICK_SECONDS)
                except subprocess.TimeoutExpired:
                    continue
        finally:
            if process.poll() is None:  # interrupted: the builder ends with its caller
                process.terminate()
                process.wait()
    if process.returncode != 0:
        tail = "\n  ".join(log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-15:])
        raise BuildFailed(f"{what}: `{command[0]} {command[1]}` failed ({process.returncode}):\n  {tail}\nlog: {log}")


def _last_line(log: Path) -> str:
    with log.open("rb") as file:
        file.seek(max(0, log.stat().st_size - 4096))
        lines = file.read().decode("utf-8", "replace").strip().splitlines()
    return lines[-1].strip()[:100] if lines else ""
