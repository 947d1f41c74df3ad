"""Which servers are measured: how each is started for one model on one port, and the ways in which it takes rows.

One process serves one model, on one core, tuned as its own documentation advises for that: one worker, no log line for
each request, batching where it has any. A new peer is one entry of PEERS and a folder with its lock beside this file.
"""

import json
import os
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path

from tests.bench import bodies, labels
from tests.bench.environments import PEERS as PEER_FOLDERS
from tests.bench.environments import ROOT, SERVING
from tests.bench.estimators import Made


class Encoding(StrEnum):
    """What a request's rows are written in."""

    JSON = "JSON"
    BINARY = "binary"


class Role(StrEnum):
    """What a server is measured for."""

    OURS = "ours"
    PEER = "peer"
    LIMIT = "limit"


@dataclass(frozen=True)
class Way:
    """One form of request to one route. `path` may hold {model}; `many` is another route for more than a row."""

    name: str
    encoding: Encoding
    path: str
    form: bodies.Form
    read: labels.Reader | None
    many: str = ""

    def route(self, model: str, n_rows: int) -> str:
        """The path to post to."""
        return (self.many if self.many and n_rows > 1 else self.path).format(model=model)


@dataclass(frozen=True)
class Place:
    """Where a server is started: its interpreter, a folder of its own, three free ports and the file of its log."""

    python: Path
    scratch: Path
    ports: tuple[int, int, int]

    @property
    def port(self) -> int:
        """The one that requests go to."""
        return self.ports[0]

    def program(self, name: str) -> str:
        """A program of the environment."""
        return str(self.python.parent / name)


@dataclass(frozen=True)
class Command:
    """What is run, in which folder, with what added to the environment."""

    argv: tuple[str, ...]
    folder: Path = ROOT
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Target:
    """One server. `environment` is the name of its venv; `ways` has the one for single rows first."""

    name: str
    role: Role
    environment: str
    command: Callable[[Made, Place], Command]
    ways: tuple[Way, ...]


def _ours(made: Made, place: Place) -> Command:
    """Metrics are always on; the capture log takes every answer."""
    settings = {
        "MODEL": made.name, "MODEL_VERSION": "1", "HOST": "127.0.0.1", "PORT": str(place.port),
        "BUNDLE_URI": made.bundle.folder.as_uri(), "BUNDLE_DIGEST": str(made.bundle.digest),
        "CACHE_DIR": str(place.scratch / "cache"),
        "CAPTURE_URI": (place.scratch / "capture").as_uri(), "CAPTURE_SAMPLE": "1.0",
    }  # fmt: skip
    environment = {f"MAINLINE_{name}": value for name, value in settings.items()}
    return Command((str(place.python), "-m", "services.serving"), environment={**environment, "PYTHONPATH": str(ROOT)})


def _limit(made: Made, place: Place) -> Command:
    uvicorn = ("-m", "uvicorn", "limit:app", "--host", "127.0.0.1", "--port", str(place.port))
    quiet = ("--no-access-log", "--log-level", "warning")
    return Command((str(place.python), *uvicorn, *quiet), Path(__file__).parent)


def _tutorial(made: Made, place: Place) -> Command:
    uvicorn = (place.program("uvicorn"), "service:app", "--host", "127.0.0.1", "--port", str(place.port))
    return Command(
        (*uvicorn, "--no-access-log"),
        PEER_FOLDERS / "tutorial",
        {"BENCH_ESTIMATOR": str(made.estimator), "BENCH_FEATURES": ",".join(made.features)},
    )


def _mlserver(batch: bool) -> Callable[[Made, Place], Command]:
    def command(made: Made, place: Place) -> Command:
        http, grpc, metrics = place.ports
        # without a pool of workers: on one core a second process only costs
        settings = {
            "debug": False, "host": "127.0.0.1", "http_port": http, "grpc_port": grpc, "metrics_port": metrics,
            "parallel_workers": 0,
        }  # fmt: skip
        model: dict[str, object] = {
            "name": made.name,
            "implementation": "mlserver_sklearn.SKLearnModel",
            "parameters": {"uri": str(made.estimator), "version": "v1"},
        }
        if batch:
            model |= {"max_batch_size": 32, "max_batch_time": 0.002}
        folder = place.scratch / "served" / made.name
        folder.mkdir(parents=True)
        (folder.parent / "settings.json").write_text(json.dumps(settings))
        (folder / "model-settings.json").write_text(json.dumps(model))
        return Command((place.program("mlserver"), "start", str(folder.parent)), place.scratch)

    return command


def _kserve(made: Made, place: Place) -> Command:
    environment = {"BENCH_MODEL": made.name, "BENCH_ESTIMATOR": str(made.estimator), "BENCH_PORT": str(place.port)}
    return Command((str(place.python), str(PEER_FOLDERS / "kserve" / "server.py")), place.scratch, environment)


def _bentoml(made: Made, place: Place) -> Command:
    environment = {
        "BENCH_ESTIMATOR": str(made.estimator), "BENCH_PORT": str(place.port),
        "BENTOML_DO_NOT_TRACK": "True", "BENTOML_HOME": str(place.scratch / "bentoml"),
    }  # fmt: skip
    return Command((place.program("bentoml"), "serve", "service:Peer"), PEER_FOLDERS / "bentoml", environment)


def _mlflow(made: Made, place: Place) -> Command:
    saved = place.scratch / "saved"
    save = (str(place.python), str(PEER_FOLDERS / "mlflow" / "save.py"), str(made.estimator), str(saved))
    told = {"MLFLOW_DISABLE_TELEMETRY": "true", "DO_NOT_TRACK": "true"}
    subprocess.run(save, check=True, capture_output=True, cwd=place.scratch, env={**os.environ, **told})
    serve = ("models", "serve", "-m", str(saved), "--env-manager", "local", "-h", "127.0.0.1", "-p", str(place.port))
    # it starts uvicorn by name: the one of its own environment must come first
    found = f"{place.python.parent}{os.pathsep}{os.environ['PATH']}"
    return Command(
        (place.program("mlflow"), *serve, "-w", "1"), place.scratch, {**told, "PATH": found, "UVICORN_ACCESS_LOG": "0"}
    )


_V2 = "/v2/models/{model}/infer"

OURS = Target(
    "Mainline", Role.OURS, SERVING, _ours,
    (
        Way("/predict", Encoding.JSON, "/predict", bodies.named, labels.ours),
        Way("V2", Encoding.JSON, _V2, bodies.tensor("rows", "FP32"), labels.tensors),
        Way("V2 binary", Encoding.BINARY, _V2, bodies.binary("rows", "FP32"), labels.tensors),
    ),
)  # fmt: skip
LIMIT = Target(
    "raw ASGI on uvicorn", Role.LIMIT, SERVING, _limit,
    (Way("a constant", Encoding.JSON, "/predict", bodies.named, None),),
)  # fmt: skip
_V2_JSON = Way("V2", Encoding.JSON, _V2, bodies.tensor("input-0", "FP64"), labels.tensors)

PEERS = (
    Target(
        "FastAPI tutorial", Role.PEER, "tutorial", _tutorial,
        (
            Way(
                "JSON", Encoding.JSON, "/predict", bodies.named_or_instances, labels.under("predictions"),
                many="/predict/batch",
            ),
        ),
    ),
    Target("MLServer", Role.PEER, "mlserver", _mlserver(batch=False), (_V2_JSON,)),
    Target("MLServer, batching", Role.PEER, "mlserver", _mlserver(batch=True), (_V2_JSON,)),
    Target(
        "KServe", Role.PEER, "kserve", _kserve,
        (
            Way("V1", Encoding.JSON, "/v1/models/{model}:predict", bodies.instances, labels.under("predictions")),
            _V2_JSON,
            Way("V2 binary", Encoding.BINARY, _V2, bodies.binary("input-0", "FP32"), labels.tensors),
        ),
    ),
    Target(
        "BentoML, batching", Role.PEER, "bentoml", _bentoml,
        (Way("JSON", Encoding.JSON, "/predict", bodies.under("rows"), labels.under()),),
    ),
    Target(
        "MLflow", Role.PEER, "mlflow", _mlflow,
        (Way("JSON", Encoding.JSON, "/invocations", bodies.under("inputs"), labels.under("predictions")),),
    ),
)  # fmt: skip
