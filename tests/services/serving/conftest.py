"""Two tiny bundles, a regression and a classification, and a server of each: in process and as the real one."""

import contextlib
import os
import re
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper
from starlette.testclient import TestClient

from models import bundle as bundles
from models.bundle import Digest, canonical
from models.feature import Feature
from models.manifest import Lineage, Manifest, Output, Tolerance
from models.spec import Serving
from services.serving.app import create
from services.serving.loader import load
from services.serving.metrics import Metrics
from services.serving.settings import Settings
from services.serving.state import State

FEATURES = (
    Feature(name="age", dtype="float", unit="years", min=0.0, max=120.0),
    Feature(name="rooms", dtype="integer", min=1.0, max=20.0, out_of_range="refuse"),
    Feature(name="street", dtype="category", categories=("Grvl", "Pave"), missing="allow", unknown="as_missing"),
    Feature(name="zone", dtype="category", categories=("north", "south")),
    Feature(name="sold", dtype="date", encoding="days", min="2006-01-01", max="2010-12-31"),
)
ROW: dict[str, Any] = {"age": 41.5, "rooms": 6, "street": "Pave", "zone": "south", "sold": "2008-02-29"}
LINEAGE = Lineage(
    commit="c" * 40,
    dirty=False,
    data_md5="d" * 32,
    run_id="r1",
    workflow="house-ccccccc",
    training_image="this-machine",
)


@dataclass(frozen=True)
class Made:
    """A bundle in a folder, and the settings of a server of it."""

    folder: Path
    digest: Digest
    settings: Settings


def _graph(task: str, n_features: int) -> bytes:
    """Weights of one: a regression answers the sum of the row, a classification its softmax against zero."""
    rows = helper.make_tensor_value_info("rows", TensorProto.FLOAT, [None, n_features])
    if task == "classification":
        weights = np.stack([np.zeros(n_features), np.full(n_features, 1e-4)], axis=1).astype(np.float32)
        nodes = [
            helper.make_node("MatMul", ["rows", "w"], ["scores"]),
            helper.make_node("Softmax", ["scores"], ["probabilities"], axis=1),
        ]
        outputs = [helper.make_tensor_value_info("probabilities", TensorProto.FLOAT, [None, 2])]
    else:
        weights = np.ones((n_features, 1), dtype=np.float32)
        nodes = [
            helper.make_node("MatMul", ["rows", "w"], ["column"]),
            helper.make_node("Squeeze", ["column", "axis"], ["prediction"]),
            helper.make_node("Sub", ["prediction", "width"], ["lower"]),
            helper.make_node("Add", ["prediction", "width"], ["upper"]),
        ]
        names = ("prediction", "lower", "upper")
        outputs = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [None]) for name in names]
    constants = [
        numpy_helper.from_array(weights, "w"),
        numpy_helper.from_array(np.array([1], dtype=np.int64), "axis"),
        numpy_helper.from_array(np.array(2.5, dtype=np.float32), "width"),
    ]
    used = {name for node in nodes for name in node.input}
    graph = helper.make_graph(nodes, "tiny", [rows], outputs, [c for c in constants if c.name in used])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=9)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def make_bundle(
    root: Path,
    *,
    task: str = "regression",
    golden_shift: float = 0.0,
    features: tuple[Feature, ...] = FEATURES,
    row: Mapping[str, Any] = ROW,
    background: Sequence[Sequence[float | None]] = (),
    model: str = "house",
    max_rows: int = 100,
    max_body_bytes: int = 20_000,
) -> Made:
    """A bundle of `task` whose golden rows are all `row`; with a `golden_shift` it fails its self-test."""
    # The sum with days of thousands, in float32: exact to about 0.001.
    code = [41.5, 6.0, 1.0, 1.0, 13938.0] if row is ROW else [float(value) for value in row.values()]
    if task == "classification":
        odds = float(np.exp(1e-4 * sum(code)))
        expected: dict[str, Any] = {"probabilities": [[1 / (1 + odds), odds / (1 + odds)]] * 16}
        outputs: tuple[Output, ...] = (Output(name="probabilities"),)
    else:
        value = sum(code) + golden_shift
        expected = {"prediction": [value] * 16, "lower": [value - 2.5] * 16, "upper": [value + 2.5] * 16}
        outputs = tuple(Output(name=name, unit="USD") for name in ("prediction", "lower", "upper"))
    manifest = Manifest(
        model=model,
        task="classification" if task == "classification" else "regression",
        inputs=features,
        outputs=outputs,
        classes=("cheap", "dear") if task == "classification" else (),
        lineage=LINEAGE,
        libraries={"onnx": onnx.__version__},
        serving=Serving(max_rows=max_rows, max_body_bytes=max_body_bytes),
    )
    golden = bundles.Golden([dict(row)] * 16, expected, Tolerance(absolute=0.01, relative=1e-4))
    files: dict[str, bytes | Path] = {
        "model.onnx": _graph(task, len(features)),
        "golden.json": golden.to_json(),
        "reference.parquet": b"no reader here",
        "held_out.parquet": b"no reader here",
        "background.json": canonical(background),
    }
    folder = root / task
    digest = bundles.write(folder, manifest, files)
    settings = Settings(
        model=model, version="7", uri=folder.as_uri(), digest=digest, cache=root / "cache", host="127.0.0.1", port=0
    )
    return Made(folder, digest, settings)


def loaded_state(made: Made) -> State:
    """The state of a server that is ready."""
    settings = made.settings
    state = State(settings, Metrics(model=settings.model, version=settings.version, digest=settings.digest))
    state.served = load(settings)
    return state


@pytest.fixture(scope="session")
def regression(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_bundle(tmp_path_factory.mktemp("bundle"))


@pytest.fixture(scope="session")
def classification(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_bundle(tmp_path_factory.mktemp("bundle"), task="classification")


@pytest.fixture
def state(regression: Made) -> State:
    return loaded_state(regression)


@pytest.fixture
def client(state: State) -> Iterator[TestClient]:
    # A failure inside must come back as the answer that a caller would get, not as an exception in the test.
    with TestClient(create(state), raise_server_exceptions=False) as made:
        yield made


@dataclass
class Running:
    """A real server."""

    process: subprocess.Popen[str]
    url: str

    def end(self, seconds: float = 20.0) -> tuple[int, list[str]]:
        """Waits for it. Returns its exit code and lines of its log."""
        out, err = self.process.communicate(timeout=seconds)
        assert err == "", err
        return self.process.returncode, out.splitlines()


def environment(settings: Settings, **more: str) -> dict[str, str]:
    """The variables that state these settings."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAINLINE_")}
    return kept | {
        "MAINLINE_MODEL": settings.model,
        "MAINLINE_MODEL_VERSION": settings.version,
        "MAINLINE_BUNDLE_URI": settings.uri,
        "MAINLINE_BUNDLE_DIGEST": settings.digest,
        "MAINLINE_CACHE_DIR": str(settings.cache),
        "MAINLINE_HOST": "127.0.0.1",
        **more,
    }


@pytest.fixture
def start() -> Iterator[Callable[..., Running]]:
    """Starts `python -m services.serving`, or what `arguments` say; whatever still runs at the end is killed."""
    with contextlib.ExitStack() as stack:

        def begin(
            settings: Settings, *, wait: bool = True, arguments: Sequence[str] = ("-m", "services.serving"), **more: str
        ) -> Running:
            with socket.socket() as probe:
                probe.bind(("127.0.0.1", 0))
                port = probe.getsockname()[1]
            process = subprocess.Popen(
                [sys.executable, *arguments],
                env=environment(settings, MAINLINE_PORT=str(port), **more),
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
            )
            stack.callback(process.communicate)
            stack.callback(process.kill)
            running = Running(process, f"http://127.0.0.1:{port}")
            if wait:
                until_ready(running)
            return running

        yield begin


def until_ready(running: Running, seconds: float = 30.0) -> None:
    """Polls /ready as a probe would."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        with contextlib.suppress(httpx2.TransportError):
            if httpx2.get(f"{running.url}/ready").status_code == 200:
                return
        time.sleep(0.03)
    raise AssertionError(f"not ready after {seconds} s")


def metric(client: TestClient, name: str, *labels: str) -> float:
    """The value of the one sample of this name whose labels hold all of `labels`."""
    lines: Sequence[str] = client.get("/metrics").text.splitlines()
    found = [line for line in lines if re.match(rf"{name}[{{ ]", line) and all(label in line for label in labels)]
    assert len(found) == 1, found
    return float(found[0].rsplit(" ", 1)[1])


@pytest.fixture(scope="session")
def flat(tmp_path_factory: pytest.TempPathFactory) -> Made:
    """A second model, beside the first or routed to."""
    from tests.services.serving.together import make_flat  # which is made of what stands above

    return make_flat(tmp_path_factory.mktemp("flat"))
