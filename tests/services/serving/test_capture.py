"""The capture log: what it writes, what it gives up, and that no answer waits for it."""

import dataclasses
import functools
import gzip
import json
import os
import random
import resource
import subprocess
import sys
import threading
import time
import tracemalloc
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from models.store import write_bytes
from services.drift.parts import read_part
from services.serving import capture as module
from services.serving import spool
from services.serving.capture import Capture
from services.serving.metrics import Metrics
from services.serving.part import rows_in, size
from services.serving.settings import Settings

SETTINGS = Settings("house", "7", "s3://b/house", "sha256:" + "a" * 64, Path("/nowhere"), pod_template_hash="5d8f")
RNG = functools.partial(random.Random, 1)
METRICS: dict[str, Any] = {"model": "house", "version": "7", "digest": SETTINGS.digest}
ONE = [{"age": 1}], [{"prediction": 10.0}]


def _value(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"model": "house", "model_version": "7"})


def _capture(write: Callable[[str, bytes], object], **changes: Any) -> tuple[Capture, Metrics]:
    metrics = Metrics(**METRICS)
    return Capture(dataclasses.replace(SETTINGS, **changes), metrics, write=write, rng=RNG()), metrics


def _lines(part: Path) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    header, *lines = [json.loads(line) for line in gzip.decompress(part.read_bytes()).splitlines()]
    return header, lines


def _until(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.01)


def test_part_has_a_header_and_lies_under_model_version_hash_and_hour(tmp_path: Path) -> None:
    capture, metrics = _capture(write_bytes, capture_uri=tmp_path.as_uri())
    capture.start()
    capture.offer("r1", [{"age": 1}, {"age": 2}], [{"prediction": 10.0}, {"prediction": 20.0}], body_bytes=10)
    capture.close()
    (part,) = tmp_path.rglob("*.jsonl.gz")
    assert part.relative_to(tmp_path).as_posix().startswith("model=house/version=7/hash=5d8f/hour=20")
    header, lines = _lines(part)
    assert (header["capture"], header["digest"], header["uri"], header["hash"], header["masked"]) == (
        1, SETTINGS.digest, SETTINGS.uri, "5d8f", [],
    )  # fmt: skip
    assert [(line["request_id"], line["row"], line["features"], line["prediction"]) for line in lines] == [
        ("r1", 0, {"age": 1}, {"prediction": 10.0}),
        ("r1", 1, {"age": 2}, {"prediction": 20.0}),
    ]
    assert (_value(metrics, "mainline_captured_total"), _value(metrics, "mainline_captured_rows_total")) == (1, 2)


def test_names_sort_by_time_and_bound_the_rows_inside() -> None:
    written: list[tuple[str, bytes]] = []
    capture, _ = _capture(lambda uri, data: written.append((uri.rsplit("/", 1)[1], data)))
    for number in range(20):
        capture.offer(f"r{number}", *ONE, body_bytes=10)
        capture.flush()
    names = [name for name, _ in written]
    assert names == sorted(names)
    for name, data in written:
        (line,) = [json.loads(line) for line in gzip.decompress(data).splitlines()][1:]
        stamp = line["time"].replace("-", "").replace(":", "").replace(".", "").removesuffix("+0000")
        assert name.startswith(f"{stamp}-")


def test_masked_values_are_not_in_the_part() -> None:
    written: list[bytes] = []
    capture, _ = _capture(lambda uri, data: written.append(gzip.decompress(data)))
    capture.start(["street"])
    capture.offer("r", [{"age": 1, "street": "Elm"}], [{"prediction": 1.0}], body_bytes=10)
    capture.close()
    header, line = [json.loads(line) for line in written[0].splitlines()]
    assert (header["masked"], line["features"]) == (["street"], {"age": 1})
    assert b"Elm" not in written[0]


@pytest.mark.parametrize("masked", [[], ["street"]])
def test_ready_lines_are_read_as_offered_rows_are(masked: list[str]) -> None:
    written: list[bytes] = []
    capture, metrics = _capture(lambda uri, data: written.append(data))
    capture.start(masked)
    row = {"age": 1.5, "street": "\u00e9lm"}
    at = datetime.now(UTC)
    bodies = [json.dumps(row, indent=1).encode(), json.dumps(row, ensure_ascii=False).encode()]
    line = functools.partial(capture.line, at.isoformat(), prediction=b'{"prediction":2.5}')
    capture.offer_lines(at, [line(b"r%d" % number, body, row) for number, body in enumerate(bodies)])
    capture.offer("r2", [row], [{"prediction": 2.5}], body_bytes=10)
    capture.close()
    read = read_part(written[0], max_bytes=10_000, max_rows=10)
    kept = {name: value for name, value in row.items() if name not in masked}
    assert (read.problems, sorted([(row.key, row.features, row.prediction) for row in read.rows], key=str)) == (
        [],
        [((f"r{number}", 0), kept, {"prediction": 2.5}) for number in range(3)],
    )
    assert all(abs(row.time - at) < timedelta(seconds=5) for row in read.rows)
    assert (_value(metrics, "mainline_captured_total"), _value(metrics, "mainline_captured_rows_total")) == (3, 3)


def test_ready_lines_that_do_not_fit_are_dropped_and_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 2_000)
    monkeypatch.setattr(module, "PACKED_BYTES", 1_000)
    capture, metrics = _capture(lambda uri, data: None)
    for _ in range(3):
        capture.offer_lines(datetime.now(UTC), [os.urandom(300_000), b""])
    assert [_value(metrics, f"mainline_capture_dropped{what}_total") for what in ("", "_rows")] == [6, 6]


def test_ready_lines_lie_in_the_part_of_their_hour() -> None:
    written: list[tuple[str, bytes]] = []
    capture, _ = _capture(lambda uri, data: written.append((uri, data)))
    for hour in (1, 1, 2, 3, 3):
        at = datetime(2026, 1, 1, hour, 59, 59, tzinfo=UTC)
        line = capture.line(at.isoformat(), b"r%d" % hour, b'{"a":1}', {"a": 1}, b'{"prediction":1}')
        capture.offer_lines(at, [line, line])
    capture.flush()
    rows = {uri: read_part(data, max_bytes=10_000, max_rows=99).rows for uri, data in written}
    assert sorted(len(part) for part in rows.values()) == [2, 4, 4]
    assert all(f"hour=2026-01-01T{row.time:%H}/" in uri for uri, part in rows.items() for row in part)


def test_lines_wait_in_a_fraction_of_their_room() -> None:
    capture, _ = _capture(lambda uri, data: None)
    row = json.dumps({f"feature_{index}": 1.5 for index in range(10)}).encode()
    lines = [capture.line("2026-01-01T01:00:00+00:00", b"r", row, {}, b'{"prediction":1}')] * 32
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for _ in range(300):
            capture.offer_lines(datetime.now(UTC), lines)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert after - before < 0.2 * 300 * len(b"".join(lines))


TEXT = st.text(max_size=6) | st.sampled_from(["{", "}", "[", "]", "},{", "\\", '"', "\n"])


@settings(max_examples=60, deadline=None)
@given(
    rows=st.lists(st.dictionaries(TEXT, TEXT | st.floats(-9, 9) | st.none(), max_size=3), min_size=1, max_size=5),
    indent=st.sampled_from([None, 2]),
    ascii_only=st.booleans(),
)
def test_rows_copied_from_a_body_are_its_rows(
    rows: list[dict[str, object]], indent: int | None, ascii_only: bool
) -> None:
    body = json.dumps({"instances": rows}, indent=indent, ensure_ascii=ascii_only).encode()
    copied = rows_in(body, len(rows))
    if copied is not None:
        assert [json.loads(text) for text in copied] == rows
        assert all(b"\n" not in text for text in copied)
    else:
        assert b"\\" in body or set("{}") & set(
            "".join(str(part) for row in rows for cell in row.items() for part in cell)
        )


@pytest.mark.parametrize("text", ["{}", "{x}", "[{}", '{"instances":[{}'])
@pytest.mark.parametrize("shape", ["a row", "features"])
def test_rows_are_copied_from_instances_alone(shape: str, text: str) -> None:
    row = {"a": text}
    body = json.dumps(row if shape == "a row" else {"features": [text]}).encode()
    assert rows_in(body, 1) is None
    written: list[bytes] = []
    capture, _ = _capture(lambda uri, data: written.append(data))
    capture.offer("r", [row], [{"prediction": 1.0}], body_bytes=len(body), body=body)
    capture.flush()
    _, line = gzip.decompress(written[0]).splitlines()
    assert json.loads(line)["features"] == row


@pytest.mark.parametrize("value", [10**30, "\ud800"])
def test_value_beyond_the_fast_writer_is_written(value: object) -> None:
    written: list[bytes] = []
    capture, _ = _capture(lambda uri, data: written.append(data))
    capture.offer("r", [{"a": value}], [{"prediction": 1.0}], body_bytes=10)
    capture.flush()
    assert json.loads(gzip.decompress(written[0]).splitlines()[1])["features"] == {"a": value}


SHAPES = [(1, 1), (4, 1), (64, 1), (784, 1), (4, 100), (64, 100)]


@pytest.mark.parametrize(("n_features", "n_rows"), SHAPES)
@pytest.mark.parametrize("value", ["1.25", '"text"'])
def test_memory_stays_below_its_bound(
    monkeypatch: pytest.MonkeyPatch, n_features: int, n_rows: int, value: str
) -> None:
    row = ",".join(f'"feature_{index}": {value}' for index in range(n_features))
    body = f"[{', '.join([f'{{{row}}}'] * n_rows)}]"
    answer = json.dumps([{"prediction": 1.5, "probabilities": {"a": 0.25, "b": 0.75}}] * n_rows)
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 20 * size(json.loads(body), json.loads(answer), len(body)))
    capture, metrics = _capture(lambda uri, data: None)
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        for number in range(25):
            capture.offer(f"request-{number}", json.loads(body), json.loads(answer), body_bytes=len(body))
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert 0.25 * module.MAX_WAITING_BYTES < after - before < module.MAX_WAITING_BYTES
    assert _value(metrics, "mainline_capture_dropped_total") == 5
    assert _value(metrics, "mainline_capture_dropped_rows_total") == 5 * n_rows


def test_room_is_given_back_when_the_part_is_written(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 3_000)
    capture, metrics = _capture(lambda uri, data: None)
    for _ in range(10):
        capture.offer("r", *ONE, body_bytes=10)
        capture.flush()
    assert (_value(metrics, "mainline_captured_total"), _value(metrics, "mainline_capture_dropped_total")) == (10, 0)


def test_crowded_buffer_is_written_before_its_time(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 3_000)
    capture, metrics = _capture(lambda uri, data: None, capture_flush_seconds=3600.0)
    capture.start()
    capture.offer("r1", *ONE, body_bytes=10)
    capture.offer("r2", *ONE, body_bytes=10)
    _until(lambda: _value(metrics, "mainline_captured_total") == 2)
    capture.close()


def test_slow_store_blocks_no_offer_and_what_does_not_fit_is_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MAX_WAITING_BYTES", 100_000)
    entered, release = threading.Event(), threading.Event()

    def slowly(uri: str, data: bytes) -> None:
        entered.set()
        assert release.wait(10)

    capture, metrics = _capture(slowly, capture_flush_seconds=0.01)
    capture.start()
    capture.offer("first", *ONE, body_bytes=10)
    assert entered.wait(5)
    begun = time.perf_counter()
    for _ in range(1_000):
        capture.offer("r", *ONE, body_bytes=10)
    assert time.perf_counter() - begun < 5  # some 5 ms in truth; the store takes until it is released
    dropped = _value(metrics, "mainline_capture_dropped_total") or 0
    assert dropped > 800
    release.set()
    capture.close()
    assert _value(metrics, "mainline_captured_total") == 1_001 - dropped
    assert _value(metrics, "mainline_capture_dropped_rows_total") == dropped


def test_store_that_hangs_does_not_keep_the_process(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spool, "CLOSE_SECONDS", 0.1)
    entered, release = threading.Event(), threading.Event()

    def hang(uri: str, data: bytes) -> None:
        entered.set()
        assert release.wait(10)

    capture, metrics = _capture(hang, capture_flush_seconds=0.01)
    capture.start()
    capture.offer("written never", *ONE, body_bytes=10)
    assert entered.wait(5)
    capture.offer("waits", *ONE, body_bytes=10)
    begun = time.monotonic()
    capture.close()
    assert time.monotonic() - begun < 2
    assert _value(metrics, "mainline_capture_dropped_total") == 2
    release.set()


def test_store_that_fails_costs_its_part_and_recovers() -> None:
    broken = True

    def write(uri: str, data: bytes) -> None:
        if broken:
            raise OSError("no space")

    capture, metrics = _capture(write)
    capture.offer("r", [{"a": 1}, {"a": 2}], [{"p": 1}, {"p": 2}], body_bytes=10)
    capture.flush()
    broken = False
    capture.offer("r", *ONE, body_bytes=10)
    capture.flush()
    names = ("captured", "captured_rows", "capture_dropped", "capture_dropped_rows")
    assert [_value(metrics, f"mainline_{name}_total") for name in names] == [1, 1, 1, 2]


def test_full_disk_leaves_no_part_and_recovers(tmp_path: Path) -> None:
    capture, metrics = _capture(write_bytes, capture_uri=tmp_path.as_uri())
    noise = os.urandom(50_000).hex()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4_096, hard))  # a write beyond it fails, as one on a full disk does
    try:
        capture.offer("r", [{"a": noise}], [{"p": 1}], body_bytes=len(noise))
        capture.flush()
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert not list(tmp_path.rglob("*.jsonl.gz"))
    assert _value(metrics, "mainline_capture_dropped_total") == 1
    capture.offer("r", [{"a": noise}], [{"p": 1}], body_bytes=len(noise))
    capture.flush()
    (part,) = tmp_path.rglob("*.jsonl.gz")
    assert len(_lines(part)[1]) == 1


@pytest.mark.slow
def test_kill_leaves_whole_parts_only(tmp_path: Path) -> None:
    program = (
        "import sys, os\nfrom models.store import write_bytes\ndata = os.urandom(4_000_000)\nprint('on', flush=True)\n"
        "while True: write_bytes(f'{sys.argv[1]}/{os.urandom(4).hex()}.jsonl.gz', data)"
    )
    for number in range(3):
        arguments = [sys.executable, "-c", program, tmp_path.as_uri()]
        with subprocess.Popen(arguments, stdout=subprocess.PIPE) as child:
            assert child.stdout is not None
            child.stdout.readline()
            time.sleep(0.02 + 0.0137 * number)
            child.kill()
    sizes = {part.stat().st_size for part in tmp_path.glob("*.jsonl.gz")}
    assert sizes <= {4_000_000}
    assert sizes


def test_sample_takes_its_share() -> None:
    capture, metrics = _capture(lambda uri, data: None, capture_sample=0.25)
    for _ in range(2_000):
        capture.offer("r", *ONE, body_bytes=1)
    capture.flush()
    # Binomial with 2,000 draws: 500 +- 4 standard deviations of 19.4.
    assert 420 <= (_value(metrics, "mainline_captured_total") or 0) <= 580
