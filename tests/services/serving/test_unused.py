"""The real server with what its image has: the locked packages without what it never loads, and no others."""

import gzip
import json
import os
import re
import shutil
import signal
from collections.abc import Callable
from importlib.metadata import distribution
from pathlib import Path

import httpx2
import pytest

from pipelines.images import unused
from tests.services.serving.conftest import ROW, Running, make_bundle
from tests.services.serving.v2.speaking import binary, columns, read

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def packages(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The packages of requirements/serving.txt, as they are installed here, without what is unused."""
    folder = tmp_path_factory.mktemp("packages")
    lock = (ROOT / "requirements/serving.txt").read_text()
    for name in re.findall(r"^([a-z][a-z0-9-]*)==", lock, re.MULTILINE):
        for file in distribution(name).files or ():
            if ".." not in file.parts:
                (folder / file).parent.mkdir(parents=True, exist_ok=True)
                _link(Path(str(file.locate())), folder / file)
    unused.remove(folder)
    return folder


def test_server_needs_nothing_that_its_image_leaves_out(
    start: Callable[..., Running], packages: Path, tmp_path: Path
) -> None:
    background = [[30.0, 4.0, 0.0, 1.0, 13938.0]]
    made = make_bundle(tmp_path / "made", background=background)
    log = tmp_path / "log"
    path = os.pathsep.join([str(packages), str(ROOT)])
    # -S: of this interpreter nothing but the standard library
    served = ["-S", "-m", "services.serving"]
    running = start(made.settings, arguments=served, PYTHONPATH=path, MAINLINE_CAPTURE_URI=log.as_uri())
    with httpx2.Client(base_url=running.url) as client:
        predicted = client.post("/predict", json=ROW, headers={"X-Request-Id": "one"})
        (prediction,) = predicted.json()["predictions"]
        inferred = client.post("/v2/models/house/infer", json={"inputs": columns()})
        body, headers = binary(columns())
        packed = client.post("/v2/models/house/infer", content=body, headers=headers)
        explained = client.post("/explain", json=ROW)
        fed_back = client.post("/feedback", json={"request_id": "one", "truth": 14000.0})
        for answer in (predicted, inferred, packed, explained):
            assert answer.status_code == 200, answer.text
        assert read(inferred)["prediction"] == read(packed)["prediction"] == [prediction["prediction"]]
        assert explained.json()["explanations"][0]["value"] == prediction["prediction"]
        assert (fed_back.status_code, fed_back.json()["feedback"][0]["outcome"]) == (202, "known")
        for path in ("/docs", "/openapi.json", "/metadata", "/metrics", "/v2", "/v2/models/house"):
            answer = client.get(path)
            assert (answer.status_code, len(answer.content) > 10) == (200, True), path
    running.process.send_signal(signal.SIGTERM)
    code, lines = running.end()
    assert (code, [json.loads(line)["event"] for line in lines]) == (0, ["loading", "ready", "draining", "ended"])
    assert any(b'"one"' in gzip.decompress(file.read_bytes()) for file in log.rglob("*.jsonl.gz"))


def _link(source: Path, target: Path) -> None:
    """A link, or a copy where the two lie on different disks."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copy2(source, target)
