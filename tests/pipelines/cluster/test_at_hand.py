"""A command of this machine finds the cluster's services in its environment."""

import base64
import json
import sys
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.cluster.at_hand import run
from pipelines.cluster.kubectl import Kubectl

STORE = {"AWS_ENDPOINT_URL": "http://s3.storage.svc:7070", "AWS_ACCESS_KEY_ID": "delivery"}
FORGE = {
    "url": "http://gitea.forge.svc:3000/api/v1", "repository": "http://gitea.forge.svc:3000/mainline/mainline.git",
    "username": "mainline-robot", "token": "secret",
}  # fmt: skip
KUBECTL = """#!{python}
import json, sys, time
arguments = [each for each in sys.argv[1:] if not each.startswith("--address")]
if "port-forward" in arguments:
    target = arguments[arguments.index("port-forward") + 1]
    print("Forwarding from 127.0.0.1:" + {{"svc/s3": "1", "svc/gitea": "2", "svc/mlflow": "3"}}[target], flush=True)
    time.sleep(60)
name = arguments[arguments.index("secret") + 1]
print(json.dumps({secrets}.get(name)) if name in {secrets} else "")
"""


def kubectl(folder: Path, **secrets: dict[str, str]) -> Kubectl:
    """A kubectl that says what a cluster's would: these Secrets, and a way to each service."""
    encoded = {
        name.replace("_", "-"): {
            "data": {key: base64.b64encode(value.encode()).decode() for key, value in data.items()}
        }
        for name, data in secrets.items()
    }
    binary = folder / "kubectl"
    binary.write_text(KUBECTL.format(python=sys.executable, secrets=repr(encoded)))
    binary.chmod(0o755)
    return Kubectl(binary=str(binary))


def told(folder: Path, cluster: Kubectl) -> dict[str, str]:
    file = folder / "told.json"
    code = f"import json, os, sys; open({str(file)!r}, 'w').write(json.dumps(dict(os.environ))); sys.exit(7)"
    assert run(cluster, [sys.executable, "-c", code]) == 7
    found: dict[str, str] = json.loads(file.read_text())
    return found


def test_what_lies_in_the_cluster_is_reached_through_forwards(tmp_path: Path) -> None:
    found = told(tmp_path, kubectl(tmp_path, mainline_object_store=STORE, mainline_forge=FORGE))
    assert found["AWS_ENDPOINT_URL"] == "http://127.0.0.1:1"
    assert found["AWS_ACCESS_KEY_ID"] == "delivery"
    assert found["MLFLOW_TRACKING_URI"] == "http://127.0.0.1:3"
    assert found["MAINLINE_FORGE_API"] == "http://127.0.0.1:2/api/v1"
    assert found["MAINLINE_FORGE_REPO"] == "http://127.0.0.1:2/mainline/mainline.git"


def test_commands_of_the_same_environment_are_found_first(tmp_path: Path) -> None:
    found = told(tmp_path, kubectl(tmp_path, mainline_object_store=STORE, mainline_forge=FORGE))
    assert found["PATH"].split(":")[0] == str(Path(sys.executable).parent)


def test_what_lies_elsewhere_keeps_its_address(tmp_path: Path) -> None:
    store = {"AWS_ENDPOINT_URL": "https://s3.example.org"}
    found = told(tmp_path, kubectl(tmp_path, mainline_object_store=store, mainline_forge=FORGE))
    assert found["AWS_ENDPOINT_URL"] == "https://s3.example.org"


def test_without_a_platform_the_remedy_is_named(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"delivery/mainline-forge.*make cluster"):
        run(kubectl(tmp_path), ["true"])


def test_without_a_command_nothing_is_opened() -> None:
    with pytest.raises(ConfigError, match="got no command"):
        run(Kubectl(binary="/nowhere"), [])
