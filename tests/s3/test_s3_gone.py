"""An S3 that is gone for a while is waited for; one that stays away, or hangs, ends in an error of stated length."""

import random
import subprocess
import threading
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.object_store import BRIEF, PATIENT, Patience
from models.store import StoreError, fetch, put, write_bytes
from pipelines import data
from pipelines.checkpoint import Checkpoint
from pipelines.cluster.store_rights import Role
from pipelines.errors import DataMismatch
from services.drift.assess import assess
from services.drift.requests import parse
from services.drift.sources import Sources
from services.serving.capture import Capture
from services.serving.metrics import Metrics
from services.serving.settings import Settings
from tests.s3.conftest import Acting, Gateway
from tests.specimens.making import made

pytestmark = pytest.mark.slow

SHORT = Patience(request_seconds=1.0, retry_seconds=2.0, connect_seconds=1.0)
URI = "s3://mainline-artifacts/bundles/one"


def bound(patience: Patience) -> float:
    """Seconds after which nobody waits any more, and two for a busy machine."""
    return patience.request_seconds + patience.retry_seconds + 2


def test_nobody_waits_longer_than_a_pod_is_given_to_start() -> None:
    assert bound(PATIENT) < 90
    assert bound(BRIEF) < 10


def test_checkpoint_is_saved_once_the_store_is_back(gateway: Gateway, acting: Acting) -> None:
    acting.as_(Role.TRAINING)
    checkpoint = Checkpoint("s3://mainline-checkpoints", "digits-2")
    checkpoint.save(b"one")
    gateway.stop()
    back = threading.Timer(3.0, gateway.start)
    back.start()
    began = time.monotonic()
    checkpoint.save(b"two")
    back.join()
    assert time.monotonic() - began >= 2.5
    assert checkpoint.load() == b"two"


@pytest.mark.parametrize("how", ["stop", "hold"])
def test_bundle_is_given_up_in_time_and_nothing_is_left(
    how: str, gateway: Gateway, acting: Acting, tmp_path: Path
) -> None:
    acting.as_(Role.TRAINING)
    bundle = made("diabetes-stable")
    put(bundle.folder, URI)
    (gateway.stop if how == "stop" else gateway.hold)()
    began = time.monotonic()
    with pytest.raises(StoreError, match=r"bundle\.json: cannot be read .*; check access and network"):
        fetch(URI, tmp_path / "cache" / "bundle", bundle.digest, patience=SHORT)
    assert time.monotonic() - began < bound(SHORT)
    assert not list((tmp_path / "cache").glob("*"))


def test_data_that_hang_are_given_up(
    gateway: Gateway, acting: Acting, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    acting.as_(Role.TRAINING)
    monkeypatch.setattr(data, "_PULL_SECONDS", 15)
    (tmp_path / "data.dvc").write_text(f"outs:\n- md5: {'0' * 32}.dir\n  path: data\n")
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").write_text("[core]\n    remote = s3\n['remote \"s3\"']\n    url = s3://mainline-data\n")
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)
    gateway.hold()
    with pytest.raises(DataMismatch, match=r"took over 15 s and was ended; is its remote reachable\?"):
        data.pull(tmp_path, "a.csv", tmp_path / "out")


def test_the_judge_decides_nothing_while_the_log_hangs(gateway: Gateway, acting: Acting, tmp_path: Path) -> None:
    acting.as_(Role.JUDGING)
    sources = Sources("s3://mainline-captures/staging", ("s3://mainline-artifacts/",), tmp_path)
    request = parse(
        {
            "model": "diabetes", "stable_hash": "a", "candidate_hash": "b", "window": "30m", "min_rows": "500",
            "min_distinct_rows": "100", "alpha": "0.001", "check": "inputs", "max_distance": "0.2",
        }
    )  # fmt: skip
    gateway.hold()
    began = time.monotonic()
    judged = assess(request, sources, now=datetime.now(UTC))
    assert time.monotonic() - began < 2 * bound(BRIEF)
    assert (judged.verdict, "cannot be listed" in judged.reason) == ("inconclusive", True), judged


def test_rows_wait_for_the_log_and_no_answer_does(gateway: Gateway, acting: Acting, tmp_path: Path) -> None:
    acting.as_(Role.SERVING)
    settings = Settings(
        "diabetes", "1", URI, "sha256:" + "a" * 64, tmp_path,
        capture_uri="s3://mainline-captures/staging", pod_template_hash="gone", capture_flush_seconds=0.1,
    )  # fmt: skip
    metrics = Metrics(model="diabetes", version="1", digest=settings.digest)
    gateway.stop()
    capture = Capture(settings, metrics, write=write_bytes, rng=random.Random(1))  # noqa: S311  (a sample, no secret)
    capture.start()
    slowest = 0.0
    for number in range(50):
        began = time.monotonic()
        capture.offer(f"r{number}", [{"age": 1}], [{"prediction": 1.0}], body_bytes=10)
        slowest = max(slowest, time.monotonic() - began)
        time.sleep(0.02)
    gateway.start()
    capture.close()
    assert slowest < 0.1
    acting.as_(Role.JUDGING)
    now = datetime.now(UTC)
    sources = Sources(settings.capture_uri, (), tmp_path)
    assert len(sources.window("diabetes", "gone", now - timedelta(minutes=5), now, now).rows) == 50
