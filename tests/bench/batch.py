"""Batch prediction against posting the same rows, in rows a second: `python -m tests.bench.batch [ROUNDS]`.

In each round a million different rows of diabetes are predicted from a Parquet and from a CSV file, and posted to the
real server as JSON of named values, a thousand to a request and one to a request. What posting costs its client
(reading the file, making bodies) is left out, in posting's favour. Writes build/bench/batch.json, whose `ratios` are
the Parquet file's rate by that of posting a thousand rows at a time, one a round.
"""

import http.client
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pandas as pd

from models.bundle import HELD_OUT, Bundle
from models.rows import decode
from pipelines.batch.order import Order
from pipelines.batch.place import Folder
from pipelines.batch.predict import load, predict_file
from pipelines.jsonfile import write_json
from tests.specimens.making import ROOT, made

OUT = ROOT / "build" / "bench" / "batch.json"
MODEL = "diabetes"
FILE_ROWS = 1_000_000
POSTED_ROWS = 1000
POST_SECONDS = 3.0
CONNECTIONS = 4


def main(argv: Sequence[str] = ()) -> None:
    """Measures, prints a line a round, writes the document."""
    rounds = int(argv[0]) if argv else 3
    bundle = made(f"{MODEL}-stable")
    drawn = _rows(bundle)
    measured = []
    with tempfile.TemporaryDirectory(prefix="bench-batch-") as scratch:
        folder = Path(scratch)
        _write(drawn, folder / "in")
        with _server(bundle, folder / "cache") as port:
            for number in range(rounds):
                rates = {each: _batch(bundle, folder, f"rows.{each}", number) for each in ("parquet", "csv")}
                rates["posted_1000"] = _posted(port, _bodies(drawn, POSTED_ROWS), POSTED_ROWS)
                rates["posted_1"] = _posted(port, _bodies(drawn, 1), 1)
                measured.append(rates)
                print(", ".join(f"{name} {rate:,.0f} rows/s" for name, rate in rates.items()), flush=True)
    ratios = [rates["parquet"] / rates["posted_1000"] for rates in measured]
    OUT.parent.mkdir(parents=True, exist_ok=True)
    write_json(OUT, {"ratios": ratios, "rows_per_second": measured})
    print(f"parquet by posting {POSTED_ROWS} rows at a time: {', '.join(f'{ratio:.1f}' for ratio in ratios)}")


def _rows(bundle: Bundle) -> pd.DataFrame:
    """Rows as a client has them: each value is one that training held out, of a row of its own, so that rows differ."""
    names = [feature.name for feature in bundle.features]
    matrix = pd.read_parquet(io.BytesIO(bundle.read(HELD_OUT)))[names].to_numpy(dtype="float32")
    rows = pd.DataFrame(decode(matrix, bundle.features))
    rng = np.random.default_rng(0)
    return pd.DataFrame({name: rows[name].to_numpy()[rng.integers(0, len(rows), FILE_ROWS)] for name in names})


def _write(rows: pd.DataFrame, folder: Path) -> None:
    folder.mkdir()
    rows.to_parquet(folder / "rows.parquet")
    rows.to_csv(folder / "rows.csv", index=False)


def _batch(bundle: Bundle, folder: Path, name: str, number: int) -> float:
    """Rows a second of one file, hashing, writing and verifying included; loading the bundle is not."""
    order = Order(MODEL, "1", bundle.folder.as_uri(), bundle.digest)
    predictor = load(order, folder / "bundle")
    began = time.perf_counter()
    receipt, _ = predict_file(
        Folder(folder / "in"), name, Folder(folder / f"out-{number}-{name}"), order=order, predictor=predictor
    )
    return receipt.rows / (time.perf_counter() - began)


def _bodies(rows: pd.DataFrame, n_rows: int) -> list[bytes]:
    """Eight different ones."""
    parts = [rows.iloc[start * n_rows : (start + 1) * n_rows].to_dict(orient="records") for start in range(8)]
    return [json.dumps({"instances": part} if n_rows > 1 else part[0]).encode() for part in parts]


def _posted(port: int, bodies: list[bytes], n_rows: int) -> float:
    """Rows a second of some connections that each post as fast as they are answered."""
    counts = [0] * CONNECTIONS
    until = time.perf_counter() + POST_SECONDS

    def post(index: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        while time.perf_counter() < until:
            body = bodies[counts[index] % len(bodies)]
            connection.request("POST", "/predict", body, {"content-type": "application/json"})
            answer = connection.getresponse()
            answer.read()
            assert answer.status == 200, answer.status
            counts[index] += 1
        connection.close()

    with ThreadPoolExecutor(CONNECTIONS) as workers:
        list(workers.map(post, range(CONNECTIONS)))  # raises what one raised
    return sum(counts) * n_rows / POST_SECONDS


@contextmanager
def _server(bundle: Bundle, cache: Path) -> Iterator[int]:
    """The real one, without capture; its port."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = int(probe.getsockname()[1])
    environment = {name: value for name, value in os.environ.items() if not name.startswith("MAINLINE_")} | {
        "MAINLINE_MODEL": MODEL, "MAINLINE_MODEL_VERSION": "1", "MAINLINE_BUNDLE_URI": bundle.folder.as_uri(),
        "MAINLINE_BUNDLE_DIGEST": bundle.digest, "MAINLINE_CACHE_DIR": str(cache), "MAINLINE_HOST": "127.0.0.1",
        "MAINLINE_PORT": str(port), "MAINLINE_DRAIN_SECONDS": "0",
    }  # fmt: skip
    command = [sys.executable, "-m", "services.serving"]
    process = subprocess.Popen(command, env=environment, cwd=ROOT, stdout=subprocess.DEVNULL)
    try:
        _until_ready(port)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def _until_ready(port: int, seconds: float = 60.0) -> None:
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=5)
        try:
            connection.request("GET", "/ready")
            if connection.getresponse().status == 200:
                return
        except OSError:
            pass
        finally:
            connection.close()
        time.sleep(0.05)
    raise TimeoutError(f"the server is not ready after {seconds:.0f} s")


if __name__ == "__main__":
    main(sys.argv[1:])
