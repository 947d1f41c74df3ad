"""A port of this machine that leads to a Service in the cluster, for as long as it is wanted.

`kubectl port-forward` ends when its pod does: it is started again, at the same port.
"""

import socket
import subprocess
import threading
import time

from tests.e2e.given import Cluster

_PATIENCE_SECONDS = 30


class Forward:
    """One such port; use it in a `with`, or close it."""

    def __init__(self, cluster: Cluster, namespace: str, service: str, port: int) -> None:
        self.port = _free_port()
        self._what = f"{namespace}/{service}:{port}"
        arguments = ("port-forward", "--namespace", namespace, f"service/{service}", f"{self.port}:{port}")
        self._command = cluster.command(*arguments)
        self._process: subprocess.Popen[str] | None = None
        self._said = ""
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._keep, name=f"forward-{service}", daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        """Its address, once it answers.

        Raises:
            AssertionError: it does not.
        """
        last = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=2).close()
            except OSError as err:
                if time.monotonic() > last:
                    raise AssertionError(f"no way to {self._what}: {self._said or err}") from err
                time.sleep(0.1)
            else:
                return f"http://127.0.0.1:{self.port}"

    def close(self) -> None:
        """Ends it."""
        self._closing.set()
        if self._process is not None:
            self._process.terminate()
        self._thread.join(timeout=10)

    def _keep(self) -> None:
        while not self._closing.is_set():
            with subprocess.Popen(
                self._command, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
            ) as process:
                self._process = process
                if self._closing.is_set():
                    process.terminate()
                assert process.stderr is not None
                for line in process.stderr:
                    self._said = line.strip()
            self._closing.wait(0.3)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])
