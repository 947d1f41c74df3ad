"""A pod's command as a process: started with the pod's environment, checked, ended; and what is refused."""

import json
import socket
import urllib.request
from dataclasses import replace
from pathlib import Path

import pytest

from models.errors import GateClosed
from pipelines.build import PodCommand
from pipelines.readiness import NotServing
from pipelines.serve import process_environment, start

DIGEST = "sha256:" + "a" * 64
SERVER = """
import json, os, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        ready = os.environ["STATE"] == "ready"
        self.send_response(200 if ready or self.path != "/ready" else 503)
        self.end_headers()
        self.wfile.write(json.dumps({"digest": os.environ["MAINLINE_BUNDLE_DIGEST"], **dict(os.environ)}).encode())

if os.environ["STATE"] == "ends":
    sys.exit("cannot load")
HTTPServer((os.environ["MAINLINE_HOST"], int(os.environ["MAINLINE_PORT"])), Handler).serve_forever()
"""
POD = PodCommand(
    command=("python", "-c", SERVER),
    environment={
        "MAINLINE_BUNDLE_DIGEST": DIGEST,
        "MAINLINE_PORT": "8080",
        "MAINLINE_HOST": "0.0.0.0",  # noqa: S104  (what the pod says)
        "MAINLINE_CACHE_DIR": "/var/cache/mainline/bundles",
        "STATE": "ready",
    },
    image="this-machine",
    ports={"http": 8080},
    ready_path="/ready",
    folders=("/var/cache/mainline", "/tmp"),
    grace_seconds=5,
)


def in_state(state: str) -> PodCommand:
    return replace(POD, environment={**POD.environment, "STATE": state})


def test_command_is_served_with_the_pods_environment_until_it_is_stopped(tmp_path: Path) -> None:
    served = start(POD, DIGEST, port=0, home=tmp_path)
    try:
        with urllib.request.urlopen(served.url + "/metadata", timeout=5) as answer:
            environment = json.loads(answer.read())
    finally:
        served.stop()
    assert environment["MAINLINE_CACHE_DIR"] == str(tmp_path / "volumes/var-cache-mainline/bundles")
    assert environment["MAINLINE_HOST"] == "127.0.0.1"
    assert environment["TMPDIR"] == str(tmp_path / "volumes/tmp")
    assert served.url.endswith(environment["MAINLINE_PORT"])
    assert served.process.poll() is not None
    assert served.stop() == served.process.returncode


def test_callers_own_variables_do_not_configure_the_server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAINLINE_CAPTURE_URI", "file:///elsewhere")
    monkeypatch.setenv("MAINLINE_BUNDLE_DIGEST", "mine")
    environment = process_environment(POD, port=1, home=tmp_path)
    assert environment["MAINLINE_CAPTURE_URI"] == ""
    assert environment["MAINLINE_BUNDLE_DIGEST"] == DIGEST


def test_server_of_another_digest_is_ended_and_refused(tmp_path: Path) -> None:
    with pytest.raises(NotServing, match="git says sha256:b"):
        start(POD, "sha256:" + "b" * 64, port=0, home=tmp_path)


def test_server_that_ends_is_reported_with_its_log(tmp_path: Path) -> None:
    with pytest.raises(NotServing, match=r"ended with 1 before it was ready.*cannot load"):
        start(in_state("ends"), DIGEST, port=0, home=tmp_path)


def test_server_that_is_never_ready_is_ended(tmp_path: Path) -> None:
    for seconds in (0.7, 5.0, 40.0):
        with pytest.raises(NotServing, match=rf"not ready after {seconds:g} s, .*/ready said: ") as caught:
            start(in_state("loading"), DIGEST, port=0, home=tmp_path, timeout_seconds=seconds)
        if "Connection refused" not in str(caught.value):  # else the machine is too busy for it to have listened
            break
    assert "/ready said: 503" in str(caught.value)


def test_containers_image_and_unreleased_pod_are_refused(tmp_path: Path) -> None:
    with pytest.raises(GateClosed, match="is a container's"):
        start(replace(POD, image="serving@sha256:" + "a" * 64), DIGEST, port=0, home=tmp_path)
    pod = replace(POD, environment={**POD.environment, "MAINLINE_BUNDLE_URI": "unreleased"})
    with pytest.raises(GateClosed, match="unreleased"):
        start(pod, DIGEST, port=0, home=tmp_path)


def test_port_in_use_is_refused(tmp_path: Path) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        with pytest.raises(NotServing, match="choose another"):
            start(POD, DIGEST, port=other.getsockname()[1], home=tmp_path)
