"""What is pushed is an image that a registry serves, and the same folder gives the same digest."""

import hashlib
import json
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from tests.e2e.cluster.image import _parser, push


class Store(ThreadingHTTPServer):
    """As much of a registry as a push needs: blobs are checked against the digest that they are sent under."""

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Handler)
        self.blobs: dict[str, bytes] = {}
        self.manifests: dict[str, bytes] = {}
        self.uploads = 0

    @property
    def address(self) -> str:
        return f"127.0.0.1:{self.server_address[1]}"


class Handler(BaseHTTPRequestHandler):
    """The requests of one push."""

    server: Store

    def do_HEAD(self) -> None:
        self._answer(200 if self.path.rpartition("/")[2] in self.server.blobs else 404)

    def do_POST(self) -> None:
        self._answer(202, Location=f"http://{self.server.address}{self.path}1?state=x")

    def do_PUT(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        digest = f"sha256:{hashlib.sha256(body).hexdigest()}"
        if "/manifests/" in self.path:
            self.server.manifests[self.path] = body
        elif not self.path.endswith(f"&digest={digest}"):
            self._answer(400)
            return
        else:
            self.server.blobs[digest] = body
            self.server.uploads += 1
        self._answer(201, Docker_Content_Digest=digest)

    def log_message(self, *_: object) -> None:
        """Quiet."""

    def _answer(self, status: int, **headers: str) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": "0"}.items():
            self.send_header(name.replace("_", "-"), value)
        self.end_headers()


@pytest.fixture
def store() -> Iterator[Store]:
    """A registry for one test."""
    with Store() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def pushed(store: Store, folder: Path, *options: str) -> str:
    return push(_parser().parse_args([str(folder), "some/thing:v1", "--registry", store.address, *options]))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """What becomes an image."""
    (tmp_path / "root" / "bin").mkdir(parents=True)
    (tmp_path / "root" / "bin" / "thing").write_bytes(b"\x7fELF")
    return tmp_path / "root"


def test_manifest_names_what_was_uploaded(store: Store, folder: Path) -> None:
    reference = pushed(store, folder, "--user", "65532", "--entrypoint", "/bin/thing", "--env", "A=b")
    body = store.manifests["/v2/some/thing/manifests/v1"]
    manifest = json.loads(body)
    assert reference == f"{store.address}/some/thing@sha256:{hashlib.sha256(body).hexdigest()}"
    assert manifest["layers"][0]["digest"] in store.blobs
    config = json.loads(store.blobs[manifest["config"]["digest"]])
    assert config["config"]["User"] == "65532"
    assert config["config"]["Entrypoint"] == ["/bin/thing"]
    assert "A=b" in config["config"]["Env"]
    assert config["rootfs"]["diff_ids"] == [manifest["layers"][0]["digest"]]


def test_same_folder_gives_same_digest_and_uploads_nothing_twice(store: Store, folder: Path) -> None:
    first = pushed(store, folder, "--owner-root")
    uploads = store.uploads
    (folder / "bin" / "thing").touch()
    assert pushed(store, folder, "--owner-root") == first
    assert store.uploads == uploads


def test_other_content_gives_another_digest(store: Store, folder: Path) -> None:
    first = pushed(store, folder)
    (folder / "bin" / "thing").write_bytes(b"other")
    assert pushed(store, folder) != first
