"""A real versitygw on this machine with the platform's buckets, accounts and policies, and each role's environment."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from urllib.request import urlopen

import pytest

from pipelines.cluster.buckets import make_buckets
from pipelines.cluster.secrets import Store, object_store
from pipelines.cluster.store_rights import BUCKETS, Role, access_key, made_accounts, secret_key

BUILT = Path.home() / ".cache" / "mainline-cluster" / "bin" / "versitygw"
ROOT_KEYS = ("rootkey", "rootsecret-1")


@dataclass
class Gateway:
    """A running gateway, which a test may stop, hold and start again: its objects lie in a folder."""

    binary: str
    folder: Path
    port: int
    accounts: Mapping[str, str]
    process: "subprocess.Popen[bytes] | None" = None

    @property
    def address(self) -> str:
        """Where it answers."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Starts it; back when it answers."""
        command = [self.binary, "--port", f"127.0.0.1:{self.port}", "--iam-dir", str(self.folder / "iam")]
        environment = {**os.environ, "ROOT_ACCESS_KEY": ROOT_KEYS[0], "ROOT_SECRET_KEY": ROOT_KEYS[1]}
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [*command, "--health", "/health", "--quiet", "posix", str(self.folder / "data")],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
            )
        deadline = time.monotonic() + 30
        while True:
            try:
                with urlopen(f"{self.address}/health", timeout=1):
                    return
            except OSError:
                assert self.process.poll() is None, (self.folder / "log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.02)

    def stop(self) -> None:
        """Ends it; connections are then refused."""
        if self.process is not None:
            self.process.send_signal(signal.SIGCONT)
            self.process.kill()
            self.process.wait()

    def hold(self) -> None:
        """It accepts connections and answers none."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)

    def environment(self, role: Role) -> dict[str, str]:
        """What the pods of a role get from the Secret `mainline-object-store`."""
        keys = access_key(role), secret_key(self.accounts, role)
        return object_store(Store(self.address, "us-east-1", *keys))


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gateway]:
    """A gateway with the platform's buckets."""
    binary = shutil.which("versitygw") or (str(BUILT) if BUILT.exists() else "")
    if not binary:
        pytest.skip(f"versitygw is neither on PATH nor at {BUILT}: `make cluster` builds it")
    folder = tmp_path_factory.mktemp("s3")
    accounts = made_accounts()
    for name in ("data", "iam"):
        (folder / name).mkdir()
    for name, text in accounts.items():
        (folder / "iam" / name).write_text(text)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    gateway = Gateway(binary, folder, port, accounts)
    gateway.start()
    try:
        make_buckets(Store(gateway.address, "us-east-1", *ROOT_KEYS), gateway.address, BUCKETS)
        yield gateway
    finally:
        gateway.stop()


@pytest.fixture
def gateway(running: Gateway) -> Iterator[Gateway]:
    """The gateway, which a test may leave stopped or held."""
    yield running
    running.stop()
    running.start()


@pytest.fixture
def acting(gateway: Gateway, monkeypatch: pytest.MonkeyPatch) -> "Acting":
    """Puts this process into the environment of a role's pods."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    return Acting(gateway, monkeypatch)


@dataclass(frozen=True)
class Acting:
    """Changes the role that this process has."""

    gateway: Gateway
    monkeypatch: pytest.MonkeyPatch

    def as_(self, role: Role, **changes: str) -> None:
        """From now on; `changes` are variables over the role's own."""
        for name, value in (self.gateway.environment(role) | changes).items():
            self.monkeypatch.setenv(name, value)
