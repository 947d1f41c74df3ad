"""Real models in one process answer what each answers alone, byte for byte."""

import json
import urllib.request
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from models.release import THIS_MACHINE
from pipelines.build import PodCommand
from pipelines.serve import Served, start
from tests.specimens.making import made

pytestmark = pytest.mark.slow  # three servers
Start = Callable[..., Served]
COMMAND = ("python", "-m", "services.serving")


@pytest.fixture
def begin(tmp_path: Path) -> Iterator[Start]:
    """Starts a server of a model, with others beside it."""
    running: list[Served] = []

    def started(main: str, *others: str) -> Served:
        bundle = made(f"{main}-stable")
        environment = {
            "MAINLINE_MODEL": main,
            "MAINLINE_MODEL_VERSION": "2",
            "MAINLINE_BUNDLE_URI": bundle.folder.as_uri(),
            "MAINLINE_BUNDLE_DIGEST": bundle.digest,
            "MAINLINE_CACHE_DIR": "/var/cache/mainline",
        }
        for other in others:
            beside = made(f"{other}-stable")
            environment[f"MAINLINE_BESIDE_{other.upper()}"] = f"2 {beside.folder.as_uri()} {beside.digest}"
        command = PodCommand(COMMAND, environment, THIS_MACHINE, {}, "/ready", ("/var/cache/mainline", "/tmp"), 2)
        home = tmp_path / "-".join([main, *others])
        running.append(start(command, bundle.digest, port=0, home=home, timeout_seconds=60.0))
        return running[-1]

    yield started
    for each in running:
        each.stop()


def answers(served: Served, path: str, rows: list[dict[str, Any]]) -> list[bytes]:
    """To each row, and to all of them."""
    found = []
    for number, body in enumerate([*rows, {"instances": rows}]):
        request = urllib.request.Request(f"{served.url}{path}", data=json.dumps(body).encode())
        request.add_header("Content-Type", "application/json")
        request.add_header("X-Request-Id", f"n{number}")
        with urllib.request.urlopen(request, timeout=20) as answer:
            found.append(answer.read())
    return found


def test_iris_beside_diabetes_answers_as_alone_and_leaves_diabetes_as_it_was(begin: Start) -> None:
    both = begin("diabetes", "iris")
    for model, path in (("iris", "/models/iris/predict"), ("diabetes", "/predict")):
        rows = [dict(row) for row in made(f"{model}-stable").golden.rows]
        assert answers(both, path, rows) == answers(begin(model), "/predict", rows)
