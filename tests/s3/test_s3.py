"""What reads or writes a store does so in a real S3, by one Secret's variables and with its role's rights."""

import os
import random
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.request import urlopen

import pytest

from models.store import ObjectMissing, StoreError, fetch, put, read_bytes, write_bytes
from models.verdict import Verdict
from pipelines import data, tracking
from pipelines.checkpoint import Checkpoint
from pipelines.cluster.store_rights import Role
from pipelines.lineage import Origin
from services.drift.assess import assess
from services.drift.requests import parse
from services.drift.sources import Sources
from services.drift.store_state import StoreState
from services.serving.capture import Capture
from services.serving.metrics import Metrics
from services.serving.settings import Settings
from tests.s3.conftest import Acting
from tests.services.drift.capture_log import leave
from tests.specimens.making import made

pytestmark = pytest.mark.slow

BUNDLES = "s3://mainline-artifacts/mlflow/7/abc/artifacts/bundles"
CAPTURES = "s3://mainline-captures/staging"


def test_training_puts_a_bundle_that_serving_fetches_and_cannot_change(acting: Acting, tmp_path: Path) -> None:
    bundle = made("diabetes-stable")
    uri = f"{BUNDLES}/{bundle.digest.removeprefix('sha256:')}"
    acting.as_(Role.TRAINING)
    assert put(bundle.folder, uri) == put(bundle.folder, uri) == bundle.digest
    acting.as_(Role.SERVING)
    assert fetch(uri, tmp_path / "bundle", bundle.digest).digest == bundle.digest
    with pytest.raises(StoreError, match=r"cannot be written \(refused, AccessDenied.*what they may do"):
        put(bundle.folder, uri)
    with pytest.raises(ObjectMissing):
        read_bytes(f"{BUNDLES}/none/bundle.json")


def test_large_object_goes_in_parts_and_comes_back_whole(acting: Acting) -> None:
    acting.as_(Role.TRAINING)
    state = os.urandom(23_000_000)
    checkpoint = Checkpoint("s3://mainline-checkpoints", "digits-1")
    assert checkpoint.load() is None
    checkpoint.save(state)
    checkpoint.save(state[:-1])
    assert checkpoint.load() == state[:-1]
    acting.as_(Role.SERVING)
    with pytest.raises(StoreError, match="refused, AccessDenied"):
        checkpoint.load()


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"AWS_SECRET_ACCESS_KEY": "wrong"}, "refused, SignatureDoesNotMatch.*check AWS_ACCESS_KEY_ID"),
        ({"AWS_ACCESS_KEY_ID": "nobody"}, "refused, InvalidAccessKeyId.*check AWS_ACCESS_KEY_ID"),
        ({"AWS_ALLOW_HTTP": "false"}, "http://, which is not allowed.*AWS_ALLOW_HTTP=true"),
    ],
    ids=["secret", "key", "http"],
)
def test_wrong_settings_are_told_at_once(acting: Acting, changes: dict[str, str], said: str) -> None:
    acting.as_(Role.TRAINING, **changes)
    for attempt in (lambda: read_bytes(f"{BUNDLES}/x"), lambda: write_bytes(f"{BUNDLES}/x", b"1")):
        began = time.monotonic()
        with pytest.raises(StoreError, match=said) as refused:
            attempt()
        assert time.monotonic() - began < 2
        assert "\n" not in str(refused.value)


def test_what_serving_captures_the_judge_reads_and_nobody_else(acting: Acting, tmp_path: Path) -> None:
    bundle = made("diabetes-stable")
    settings = Settings("diabetes", "1", BUNDLES, bundle.digest, tmp_path, capture_uri=CAPTURES, pod_template_hash="h1")
    metrics = Metrics(model="diabetes", version="1", digest=bundle.digest)
    acting.as_(Role.SERVING)
    capture = Capture(settings, metrics, write=write_bytes, rng=random.Random(1))  # noqa: S311  (a sample, no secret)
    capture.start()
    capture.offer("r1", [{"age": 1}], [{"prediction": 10.0}], body_bytes=10)
    capture.close()
    named = {"model": "diabetes", "model_version": "1"}
    written = metrics.registry.get_sample_value("mainline_captured_total", named)
    assert written == 1, written
    assert StoreState(CAPTURES, wait_seconds=10).told().startswith("unreachable")
    acting.as_(Role.JUDGING)
    assert StoreState(CAPTURES, wait_seconds=10).told() == "reachable"
    now = datetime.now(UTC)
    window = Sources(CAPTURES, (BUNDLES,), tmp_path).window("diabetes", "h1", now - timedelta(minutes=5), now, now)
    assert [row["age"] for row in window.rows] == [1]
    with pytest.raises(StoreError, match="refused"):
        write_bytes(f"{CAPTURES}/x", b"1")


def test_the_judge_decides_by_a_log_and_bundles_in_s3(acting: Acting, tmp_path: Path) -> None:
    acting.as_(Role.TRAINING)
    names = {"stable": "diabetes-stable", "better": "diabetes-better"}
    uris = {name: f"{BUNDLES}/{made(recipe).digest.removeprefix('sha256:')}" for name, recipe in names.items()}
    for name, recipe in names.items():
        put(made(recipe).folder, uris[name])
        leave(tmp_path / "log", made(recipe), pods=name, n_rows=1500, uri=uris[name], seed=len(name))
    acting.as_(Role.SERVING)
    for part in (tmp_path / "log").rglob("*.gz"):
        write_bytes(f"{CAPTURES}/{part.relative_to(tmp_path / 'log')}", part.read_bytes())
    acting.as_(Role.JUDGING)
    request = {
        "model": "diabetes", "stable_hash": "stable", "candidate_hash": "better", "window": "30m", "min_rows": "500",
        "min_distinct_rows": "100", "alpha": "0.001", "check": "predictions", "max_beyond_announced": "0.1",
        "max_announced": "0.85", "max_announced_shift": "0.25",
    }  # fmt: skip
    sources = Sources(CAPTURES, ("s3://mainline-artifacts/",), tmp_path / "cache")
    judged = assess(parse(request), sources, now=datetime.now(UTC))
    assert judged.verdict is Verdict.PASS, judged


def test_dvc_pulls_what_a_person_pushed_and_training_cannot_push(acting: Acting, tmp_path: Path) -> None:
    tree = tmp_path / "tree"
    (tree / "data").mkdir(parents=True)
    (tree / "data/a.csv").write_text("x\n1\n")
    acting.as_(Role.PERSON, DVC_SITE_CACHE_DIR=str(tmp_path / "site"))
    for words in ("init -q", "remote add -q -d store s3://mainline-data", "add -q data", "push -q"):
        if words == "init -q":
            subprocess.run(["git", "init", "-q"], cwd=tree, check=True)
        subprocess.run([sys.executable, "-m", "dvc", *words.split()], cwd=tree, check=True)
    acting.as_(Role.TRAINING)
    shutil.rmtree(tree / "data")
    shutil.rmtree(tree / ".dvc/cache")
    assert data.pull(tree, "a.csv", tmp_path / "out").endswith(".dir")
    assert (tmp_path / "out/a.csv").read_text() == "x\n1\n"
    (tree / "data/a.csv").write_text("x\n2\n")
    subprocess.run([sys.executable, "-m", "dvc", "add", "-q", "data"], cwd=tree, check=True)
    refused = subprocess.run([sys.executable, "-m", "dvc", "push"], cwd=tree, check=False, capture_output=True)
    assert refused.returncode != 0
    assert b"Access Denied" in refused.stderr, refused.stderr


@pytest.fixture
def mlflow(acting: Acting, tmp_path: Path) -> Iterator[str]:
    """An MLflow server as the platform runs it: artifacts in S3, which it reads to show them."""
    acting.as_(Role.DELIVERY)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    command = [sys.executable, "-m", "mlflow", "server", "--port", str(port), "--workers=1", "--no-serve-artifacts"]
    places = [
        f"--backend-store-uri=sqlite:///{tmp_path}/m.db",
        "--default-artifact-root=s3://mainline-artifacts/mlflow",
    ]
    environment = {**os.environ, "MLFLOW_SERVER_ENABLE_JOB_EXECUTION": "false"}
    with (tmp_path / "mlflow.log").open("wb") as log:
        process = subprocess.Popen([*command, *places], env=environment, stdout=log, stderr=log, cwd=tmp_path)
    try:
        deadline = time.monotonic() + 120
        while True:
            try:
                with urlopen(f"http://127.0.0.1:{port}/health", timeout=5):
                    break
            except OSError:
                assert process.poll() is None, (tmp_path / "mlflow.log").read_text()
                assert time.monotonic() < deadline
                time.sleep(0.2)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(30)


def test_a_run_keeps_its_bundle_in_s3_and_mlflow_shows_its_files(
    mlflow: str, acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MLFLOW_TRACKING_URI", mlflow)
    monkeypatch.setenv("MAINLINE_ARTIFACT_ROOT", "s3://mainline-artifacts/mlflow")
    acting.as_(Role.TRAINING)
    bundle = made("diabetes-stable")
    origin = Origin(
        model="diabetes", commit="5" * 40, branch="main", data_md5="0" * 32, workflow="w", image="i", dirty=False
    )
    run = tracking.start_run(origin, parameters_hash="h", parameters={"alpha": 1})
    uri = tracking.upload_bundle(run, bundle.folder, bundle.digest)
    assert uri.startswith("s3://mainline-artifacts/mlflow/")
    tracking.log_evaluation(run, metrics={"rmse": 1.0}, tags={}, files={"evaluation/report.md": b"# fine"})
    with urlopen(f"{mlflow}/get-artifact?path=evaluation/report.md&run_uuid={run}", timeout=30) as answer:
        assert answer.read() == b"# fine"
