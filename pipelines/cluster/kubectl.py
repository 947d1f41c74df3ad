"""kubectl against one cluster: what the installer writes, reads and reaches goes through here.

kubectl and not the Python client: it builds what server-side apply needs from plain YAML, and its `exec` and
`port-forward` reach a pod wherever the cluster is.
"""

import json
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Empty, Queue
from typing import Any

from models.errors import MainlineError

MANAGER = "mainline-install"
_FORWARDED = re.compile(r"Forwarding from 127\.0\.0\.1:(\d+)")
# kubectl asks the API server once and listens: seconds, also on a busy machine
_FORWARD_SECONDS = 30.0


class KubectlFailed(MainlineError):  # noqa: N818  (what happened)
    """kubectl refused or could not reach the cluster; the message is its own."""


@dataclass(frozen=True)
class Kubectl:
    """One cluster, by its kubeconfig.

    Attributes:
        kubeconfig: file; None for what kubectl finds itself.
        binary: kubectl's name or path.
    """

    kubeconfig: Path | None = None
    binary: str = "kubectl"

    def run(self, *arguments: str, given: str | None = None) -> str:
        """What kubectl prints; `given` goes to its standard input.

        Raises:
            KubectlFailed: it ended with an error.
        """
        command = [*self._command(), *arguments]
        try:
            done = subprocess.run(command, input=given, capture_output=True, text=True, check=False)
        except FileNotFoundError as err:
            raise KubectlFailed(f"{self.binary}: not found; install kubectl, or put it on PATH") from err
        if done.returncode != 0:
            raise KubectlFailed(f"kubectl {' '.join(arguments)}: {done.stderr.strip() or done.stdout.strip()}")
        return done.stdout

    def apply_text(self, text: str) -> list[str]:
        """Server-side apply of objects as they were built; returns their names, as `kind/name`."""
        options = ("--server-side", "--force-conflicts", f"--field-manager={MANAGER}", "-o", "name")
        return self.run("apply", *options, "-f", "-", given=text).split()

    def apply(self, objects: Sequence[Mapping[str, object]]) -> None:
        """Server-side apply of objects, in one request each, as the installer's own."""
        if objects:
            self.apply_text(json.dumps({"apiVersion": "v1", "kind": "List", "items": list(objects)}))

    def get(self, kind: str, name: str, namespace: str = "") -> Mapping[str, object] | None:
        """One object; None where it is not there."""
        place = ("-n", namespace) if namespace else ()
        printed = self.run("get", kind, name, *place, "--ignore-not-found", "-o", "json")
        found: Mapping[str, object] | None = json.loads(printed) if printed.strip() else None
        return found

    def items(self, kind: str, *arguments: str) -> list[Mapping[str, Any]]:
        """Objects of a kind: of all namespaces, unless the arguments say which."""
        place = arguments or ("--all-namespaces",)
        found: list[Mapping[str, Any]] = json.loads(self.run("get", kind, *place, "-o", "json"))["items"]
        return found

    @contextmanager
    def forwarded(self, namespace: str, target: str, port: int) -> Iterator[str]:
        """`127.0.0.1:<port>` of this machine, which leads to a service or pod of the cluster as long as it is open.

        Raises:
            KubectlFailed: nothing answers there.
        """
        command = [*self._command(), "-n", namespace, "port-forward", "--address=127.0.0.1", target, f":{port}"]
        with subprocess.Popen(
            command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
        ) as process:
            try:
                yield f"127.0.0.1:{_forwarded_port(process, ' '.join(command[1:]))}"
            finally:
                process.terminate()

    def _command(self) -> list[str]:
        return [self.binary, *([f"--kubeconfig={self.kubeconfig}"] if self.kubeconfig else [])]


def _forwarded_port(process: "subprocess.Popen[str]", command: str) -> str:
    """The local port that kubectl chose and says; what it says later is read too, or it would block."""
    said: Queue[str] = Queue()

    def read() -> None:
        for line in process.stdout or ():
            said.put(line)
        said.put("")

    threading.Thread(target=read, daemon=True).start()
    lines: list[str] = []
    while True:
        try:
            line = said.get(timeout=_FORWARD_SECONDS)
        except Empty:
            raise KubectlFailed(f"kubectl {command}: said nothing for {_FORWARD_SECONDS:.0f} s") from None
        if found := _FORWARDED.match(line):
            return found[1]
        if not line:
            raise KubectlFailed(f"kubectl {command}: {' '.join(lines).strip()}")
        lines.append(line.strip())
