"""A real Prometheus over backfilled samples, and the comparison of its answers with the evaluator's."""

import json
import shutil
import socket
import subprocess
import time
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipelines.rehearsal.simulate.promql import query
from pipelines.rehearsal.simulate.series import Database

Answer = dict[tuple[tuple[str, str], ...], float] | float
Ask = Callable[[str, float], Answer]
# name, labels, and samples as milliseconds and value
Known = tuple[str, dict[str, str], list[tuple[int, float]]]

needs_prometheus = pytest.mark.skipif(not shutil.which("prometheus"), reason="needs prometheus and promtool on PATH")


@contextmanager
def serving(folder: Path, known: Sequence[Known]) -> Iterator[Ask]:
    """A Prometheus on loopback that has these samples."""
    lines = [
        (name, at, f"{name}{{{_labels(labels)}}} {value} {at / 1000:.3f}")
        for name, labels, points in known
        for at, value in points
    ]
    text = "\n".join(line for _, _, line in sorted(lines, key=lambda line: line[:1])) + "\n# EOF\n"
    (folder / "samples").write_text(
        text.replace(" nan ", " NaN ").replace(" inf ", " +Inf ").replace(" -inf ", " -Inf ")
    )
    (folder / "prometheus.yml").write_text("{}\n")
    made = [
        "promtool",
        "tsdb",
        "create-blocks-from",
        "openmetrics",
        "--quiet",
        str(folder / "samples"),
        str(folder / "data"),
    ]
    subprocess.run(made, check=True, capture_output=True)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{probe.getsockname()[1]}"
    with (folder / "log").open("wb") as log:
        process = subprocess.Popen(
            ["prometheus", f"--config.file={folder}/prometheus.yml", f"--storage.tsdb.path={folder}/data",
             "--storage.tsdb.retention.time=100y", f"--web.listen-address={address}"],
            stdout=log, stderr=log,
        )  # fmt: skip
    try:
        _wait(f"http://{address}/-/ready", folder / "log")
        yield lambda text, at: _ask(f"http://{address}/api/v1/query", text, at)
    finally:
        process.terminate()
        process.wait(10)


def _labels(labels: dict[str, str]) -> str:
    return ",".join(f'{name}="{value}"' for name, value in labels.items())


def _wait(url: str, log: Path) -> None:
    for _ in range(200):
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(log.read_text())


def _ask(url: str, text: str, at: float) -> Answer:
    with urllib.request.urlopen(f"{url}?{urllib.parse.urlencode({'query': text, 'time': f'{at:.3f}'})}") as answer:
        data = json.load(answer)["data"]
    if data["resultType"] == "scalar":
        return float(data["result"][1])
    return {tuple(sorted(each["metric"].items())): float(each["value"][1]) for each in data["result"]}


def ours(database: Database, text: str, at: float) -> Answer:
    found = query(database, text, at)
    return found if isinstance(found, float) else {tuple(sorted(labels.items())): value for labels, value in found}


def assert_same(mine: Answer, theirs: Answer, what: str) -> None:
    if isinstance(mine, float) or isinstance(theirs, float):
        assert mine == pytest.approx(theirs, rel=1e-9, nan_ok=True), what
        return
    assert mine.keys() == theirs.keys(), what
    for labels, value in theirs.items():
        assert mine[labels] == pytest.approx(value, rel=1e-9, abs=1e-12, nan_ok=True), (what, labels)
