"""A pod's process as a node keeps it: at its address, with its hash, restarted when it ends, ended when asked."""

import json
import os
import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest

from pipelines.build import PodCommand
from pipelines.rehearsal.child import NotStarted, free_ports
from pipelines.rehearsal.revisions import Revision, template_hash
from pipelines.rehearsal.servers import Server

SERVER = """
import json, os, signal, sys
from http.server import BaseHTTPRequestHandler, HTTPServer

signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))

class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.send_response(200 if os.environ["STATE"] == "ready" else 503)
        self.end_headers()
        self.wfile.write(json.dumps(dict(os.environ)).encode())

if os.environ["STATE"] == "ends":
    sys.exit("cannot load")
HTTPServer((os.environ["MAINLINE_HOST"], int(os.environ["MAINLINE_PORT"])), Handler).serve_forever()
"""


def revision(state: str) -> Revision:
    pod = PodCommand(
        command=("python", "-c", SERVER),
        environment={"STATE": state, "MAINLINE_CAPTURE_SAMPLE": "0.1"},
        image="this-machine",
        ports={"http": 8080},
        ready_path="/ready",
        folders=("/tmp",),
        grace_seconds=5,
    )
    return Revision("candidate", "abc123", pod, "2", "sha256:" + "2" * 64, "file:///bundles/2")


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    found = Server(revision("ready"), tmp_path, free_ports(1)[0], capture="file:///capture")
    yield found
    found.stop()


def test_server_has_the_revisions_hash_and_captures_everything(server: Server) -> None:
    server.start()
    server.await_ready(10)
    with urllib.request.urlopen(server.url, timeout=5) as answer:
        environment = json.loads(answer.read())
    assert environment["MAINLINE_POD_TEMPLATE_HASH"] == "abc123"
    assert environment["MAINLINE_CAPTURE_URI"] == "file:///capture"
    assert environment["MAINLINE_CAPTURE_SAMPLE"] == "1"
    assert (server.memory_bytes() or 0) > 1_000_000


def test_server_that_ends_is_started_again_at_once_and_then_only_after_a_while(server: Server) -> None:
    server.start()
    server.await_ready(10)
    url, first = server.url, server.pid
    assert first is not None
    assert not server.tend()
    os.kill(first, signal.SIGKILL)
    while server.pid is not None:
        time.sleep(0.01)
    assert not server.ready()
    assert server.tend()
    server.await_ready(10)
    assert (server.url, server.restarts) == (url, 1)
    assert server.pid != first
    os.kill(server.pid or 0, signal.SIGKILL)
    while server.pid is not None:
        time.sleep(0.01)
    assert not server.tend()  # ten seconds, as a kubelet
    assert server.restarts == 1


def test_server_that_is_never_ready_is_not(tmp_path: Path) -> None:
    server = Server(revision("loading"), tmp_path, free_ports(1)[0], capture="file:///capture")
    server.start()
    try:
        with pytest.raises(NotStarted, match=r"candidate was not ready after 0\.5 s"):
            server.await_ready(0.5)
    finally:
        server.stop()
    assert server.pid is None


def test_server_that_cannot_load_says_why(tmp_path: Path) -> None:
    server = Server(revision("ends"), tmp_path, free_ports(1)[0], capture="file:///capture")
    server.start()
    with pytest.raises(NotStarted, match=r"candidate ended with 1 before it was ready.*cannot load"):
        server.await_ready(10)
    server.stop()


def test_hash_of_a_pod_template_depends_on_its_content_alone() -> None:
    assert template_hash({"a": 1, "b": [2]}) == template_hash({"b": [2], "a": 1})
    assert template_hash({"a": 1}) != template_hash({"a": 2})
    assert template_hash({"a": 1}) != template_hash({"a": 1}, salt="again")
    assert template_hash({"a": 1}).isalnum()


def test_free_ports_are_all_different() -> None:
    assert len(set(free_ports(50))) == 50
