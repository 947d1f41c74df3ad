"""The capture log: what it writes, and what it gives up."""

import dataclasses
import functools
import gzip
import json
import random
from pathlib import Path

from models.store import write_bytes
from services.serving import capture as module
from services.serving.capture import Capture
from services.serving.metrics import Metrics
from services.serving.settings import Settings

SETTINGS = Settings("house", "7", "s3://b/house", "sha256:" + "a" * 64, Path("/nowhere"), pod_template_hash="5d8f")
RNG = functools.partial(random.Random, 1)
METRICS = {"model": "house", "version": "7", "digest": SETTINGS.digest}


def _value(metrics: Metrics, name: str) -> float | None:
    return metrics.registry.get_sample_value(name, {"model": "house", "model_version": "7"})


def test_rows_lie_under_model_version_hash_and_hour(tmp_path: Path) -> None:
    metrics = Metrics(**METRICS)
    settings = dataclasses.replace(SETTINGS, capture_uri=tmp_path.as_uri())
    capture = Capture(settings, metrics, write=write_bytes, rng=RNG())
    capture.start()
    capture.offer("r1", [{"age": 1}, {"age": 2}], [{"prediction": 10.0}, {"prediction": 20.0}], n_bytes=10)
    capture.close()
    (part,) = tmp_path.rglob("*.jsonl.gz")
    assert part.relative_to(tmp_path).as_posix().startswith("model=house/version=7/hash=5d8f/hour=20")
    lines = [json.loads(line) for line in gzip.decompress(part.read_bytes()).splitlines()]
    assert [(line["request_id"], line["row"], line["features"], line["prediction"]) for line in lines] == [
        ("r1", 0, {"age": 1}, {"prediction": 10.0}),
        ("r1", 1, {"age": 2}, {"prediction": 20.0}),
    ]
    assert _value(metrics, "mainline_captured_total") == 1


def test_what_does_not_fit_is_dropped_and_counted() -> None:
    metrics, written = Metrics(**METRICS), list[str]()
    capture = Capture(SETTINGS, metrics, write=lambda uri, data: written.append(uri), rng=RNG())
    for _ in range(3):
        capture.offer("r", [{}], [{}], n_bytes=module.MAX_WAITING_BYTES // 2)
    assert _value(metrics, "mainline_capture_dropped_total") == 1
    capture.flush()
    capture.offer("r", [{}], [{}], n_bytes=module.MAX_WAITING_BYTES)
    assert _value(metrics, "mainline_capture_dropped_total") == 1
    assert len(written) == 1


def test_store_that_fails_costs_the_part_and_is_counted() -> None:
    def fail(uri: str, data: bytes) -> None:
        raise OSError("no space")

    metrics = Metrics(**METRICS)
    capture = Capture(SETTINGS, metrics, write=fail, rng=RNG())
    capture.offer("r", [{}], [{}], n_bytes=10)
    capture.flush()
    assert _value(metrics, "mainline_capture_dropped_total") == 1


def test_sample_takes_its_share() -> None:
    metrics = Metrics(**METRICS)
    settings = dataclasses.replace(SETTINGS, capture_sample=0.25)
    capture = Capture(settings, metrics, write=lambda uri, data: None, rng=RNG())
    for _ in range(2_000):
        capture.offer("r", [{}], [{}], n_bytes=1)
    capture.flush()
    # Binomial with 2,000 draws: 500 +- 4 standard deviations of 19.4.
    assert 420 <= (_value(metrics, "mainline_captured_total") or 0) <= 580
