"""A command of this machine with the cluster's MLflow, object store and forge at hand: promotion, lineage.

`python -m pipelines.cluster run mainline promote diabetes`. What lies in the cluster is reached through port-forwards,
open as long as the command runs; what lies elsewhere keeps its address. What it proposes is the robot's, as a
training's proposals are; a person merges.
"""

import base64
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from models.errors import ConfigError
from pipelines.cluster.kubectl import Kubectl

_TRACKING = "http://mlflow.mainline.svc:5000"
# Who promotes speaks with the rights of who delivers: reads every version, proposes, merges nothing.
_NAMESPACE = "delivery"
_STORE, _FORGE = "mainline-object-store", "mainline-forge"


def run(kubectl: Kubectl, command: Sequence[str]) -> int:
    """Runs a command with the cluster's services in its environment; returns its exit code.

    Raises:
        ConfigError: no command, or one that is not found.
        KubectlFailed: the platform is not installed, or nothing answers there.
    """
    if not command:
        raise ConfigError(["run: got no command, give one such as: run mainline promote diabetes"])
    with ExitStack() as open_ways:
        settings = _settings(kubectl, open_ways)
        try:
            return subprocess.run(command, env={**os.environ, "PATH": _path(), **settings}, check=False).returncode
        except FileNotFoundError as err:
            raise ConfigError([f"run: got {command[0]!r}, is not on PATH"]) from err


def _path() -> str:
    """Where commands are found: first beside this Python, whose environment holds `mainline`."""
    return f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"


def _settings(kubectl: Kubectl, open_ways: ExitStack) -> dict[str, str]:
    """The environment that the project's own functions read, with addresses of this machine."""

    def here(url: str) -> str:
        parts = urlsplit(url)
        name, _, namespace = (parts.hostname or "").removesuffix(".svc").partition(".")
        if not (parts.hostname or "").endswith(".svc") or not namespace:
            return url
        way = kubectl.forwarded(namespace, f"svc/{name}", parts.port or 80)
        return parts._replace(netloc=open_ways.enter_context(way)).geturl()

    forge, store = _secret(kubectl, _FORGE), _secret(kubectl, _STORE)
    reached = {url: here(url) for url in {value for name, value in store.items() if name.endswith("ENDPOINT_URL")}}
    api = here(forge["url"])
    return {
        **{name: reached.get(value, value) for name, value in store.items()},
        "MLFLOW_TRACKING_URI": here(_TRACKING),
        "MAINLINE_ARTIFACT_ROOT": "s3://mainline-artifacts/mlflow",
        "MAINLINE_FORGE_API": api,
        "MAINLINE_FORGE_USERNAME": forge["username"],
        "MAINLINE_FORGE_TOKEN": forge["token"],
        "MAINLINE_FORGE_REPO": urlsplit(api)._replace(path=urlsplit(forge["repository"]).path).geturl(),
    }


def _secret(kubectl: Kubectl, name: str) -> dict[str, str]:
    found = kubectl.get("secret", name, _NAMESPACE)
    if found is None:
        raise ConfigError([f"{_NAMESPACE}/{name}: no such Secret; `make cluster` installs the platform"])
    data = found.get("data")
    assert isinstance(data, Mapping)  # noqa: S101  (the API server's own form)
    return {key: base64.b64decode(value).decode() for key, value in data.items()}
