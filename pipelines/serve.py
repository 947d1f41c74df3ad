"""Runs here what a built overlay says: the pod template's command and environment, as a process of this machine.

Called by `mainline serve` and by the demo. What a container has and a process has not is put in its place: emptyDir
volumes become folders, the port is the caller's, and the image must be the word for this checkout's own code.
"""

import os
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import GateClosed
from models.release import THIS_MACHINE, UNRELEASED, read_release, release_path
from pipelines.build import PodCommand, build_overlay, objects, pod
from pipelines.readiness import NotServing, await_ready, served_digest

# The startup probe's bound in the Rollout is 120 s; here the bundle lies on the same disk.
READY_TIMEOUT_SECONDS = 60.0
# Nothing here has to be told that this endpoint goes away, so no request arrives while draining. The cluster's store is
# not at hand: who records here says where.
HERE = {"MAINLINE_HOST": "127.0.0.1", "MAINLINE_DRAIN_SECONDS": "0", "MAINLINE_CAPTURE_URI": ""}


@dataclass(frozen=True)
class Served:
    """A server that answers.

    Attributes:
        url: where, without a path.
        digest: what it serves, as its /metadata and release.yaml both say.
        log: what it printed.
        grace_seconds: how long it may take to end.
    """

    process: "subprocess.Popen[bytes]"
    url: str
    digest: str
    log: Path
    grace_seconds: int

    @property
    def pid(self) -> int:
        """The server's process id, which is its process group's too."""
        return self.process.pid

    def wait(self) -> int:
        """Waits until it ends, or ends it on Ctrl-C; gives its exit status."""
        try:
            return self.process.wait()
        except KeyboardInterrupt:
            return self.stop()

    def stop(self) -> int:
        """Asks it to drain and end, insists after the grace period; gives its exit status. May be called again."""
        return _end(self.process, self.grace_seconds)


def serve(
    root: Path,
    environment: str,
    model: str,
    *,
    port: int = 0,
    home: Path | None = None,
    overrides: Mapping[str, str] | None = None,
    timeout_seconds: float = READY_TIMEOUT_SECONDS,
) -> Served:
    """Builds an overlay and starts its pod's command; returns when it is ready and serves what git says.

    Args:
        root: the checkout whose overlay is built.
        environment: staging or production.
        model: the model's name.
        port: 0 takes a free one.
        home: folder for the log and the pod's volumes; default: a new one in the system's temporary folder.
        overrides: variables for this machine, over the pod's own.
        timeout_seconds: how long it may take to become ready.

    Raises:
        ConfigError: no such overlay, or it does not build.
        GateClosed: nothing is released there, or its image is a container's.
        NotServing: it ended, was not ready in time, or serves another digest.
    """
    command = pod(objects(build_overlay(root, environment, model)))
    wanted = read_release(root / release_path(environment, model))
    if not wanted.is_released:
        raise GateClosed(f"{model}: nothing is released to {environment}: merge a proposal first")
    folder = home or Path(tempfile.mkdtemp(prefix=f"mainline-{environment}-{model}-"))
    return start(command, wanted.digest, port=port, home=folder, overrides=overrides, timeout_seconds=timeout_seconds)


def start(
    command: PodCommand,
    digest: str,
    *,
    port: int,
    home: Path,
    overrides: Mapping[str, str] | None = None,
    timeout_seconds: float = READY_TIMEOUT_SECONDS,
) -> Served:
    """Starts a pod's command as a process; `serve` says what may be raised."""
    port, log = usable_port(port), home / "serving.log"
    process = launch(command, port=port, home=home, overrides=overrides)
    served = Served(process, f"http://127.0.0.1:{port}", digest, log, command.grace_seconds)
    try:
        await_ready(process, served.url + command.ready_path, log, timeout_seconds)
        if (got := served_digest(served.url)) != digest:
            raise NotServing(f"serves {got}, git says {digest}: it was ended")
    except BaseException:
        served.stop()
        raise
    return served


def launch(
    command: PodCommand, *, port: int, home: Path, overrides: Mapping[str, str] | None = None
) -> "subprocess.Popen[bytes]":
    """Starts a pod's command and returns at once; what it prints goes to the end of `home`/serving.log.

    Raises:
        GateClosed: its image is a container's, or nothing is released.
    """
    if command.image != THIS_MACHINE:
        raise GateClosed(f"image {command.image!r} is a container's: only {THIS_MACHINE!r} can be run as a process")
    if any(UNRELEASED in value.split() for value in command.environment.values()):
        raise GateClosed("the pod's environment is unreleased: merge a proposal first")
    home.mkdir(parents=True, exist_ok=True)
    arguments = [sys.executable if command.command[0] == "python" else command.command[0], *command.command[1:]]
    with (home / "serving.log").open("ab") as output:
        return subprocess.Popen(
            arguments,
            cwd=home,
            env=process_environment(command, port=port, home=home) | dict(overrides or {}),
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )


def process_environment(command: PodCommand, *, port: int, home: Path) -> dict[str, str]:
    """The pod's variables over this process's, with its writable folders under `home` and its port replaced."""
    # A MAINLINE_ variable of the caller is not the pod's: the pod template alone configures the server.
    inherited = {key: value for key, value in os.environ.items() if not key.startswith("MAINLINE_")}
    places = {}
    for folder in command.folders:
        places[folder] = home / "volumes" / folder.strip("/").replace("/", "-")
        places[folder].mkdir(parents=True, exist_ok=True)
    environment = {}
    for name, value in command.environment.items():
        for folder, place in places.items():
            if value == folder or value.startswith(folder + "/"):
                value = str(place) + value[len(folder) :]
                break
        environment[name] = value
    temporary = {"TMPDIR": str(places["/tmp"])} if "/tmp" in places else {}  # noqa: S108  (the pod's mount path)
    return inherited | temporary | environment | HERE | {"MAINLINE_PORT": str(port)}


def _end(process: "subprocess.Popen[bytes]", grace_seconds: float) -> int:
    if process.poll() is not None:
        return process.returncode
    process.send_signal(signal.SIGTERM)
    try:
        return process.wait(timeout=grace_seconds)
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        return process.wait()


def usable_port(wanted: int) -> int:
    """The wanted port, or a free one for 0; another server there would answer in ours' place."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", wanted))
        except OSError as err:
            raise NotServing(f"port {wanted}: {err.strerror}: choose another, or end what listens there") from err
        return int(probe.getsockname()[1])
