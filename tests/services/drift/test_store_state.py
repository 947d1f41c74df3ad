"""What /ready tells of the capture log."""

import socket
import time
from pathlib import Path

import pytest

from services.drift.store_state import StoreState


def test_folder_is_reachable_once_it_is_there(tmp_path: Path) -> None:
    state = StoreState((tmp_path / "log").as_uri(), every_seconds=0.0)
    assert state.told() == "unreachable: no such folder"
    (tmp_path / "log").mkdir()
    assert state.told() == "reachable"


def test_store_that_does_not_answer_keeps_no_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        monkeypatch.setenv("AWS_ENDPOINT_URL", f"http://127.0.0.1:{silent.getsockname()[1]}")
        for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_REGION"):
            monkeypatch.setenv(name, "none")
        monkeypatch.setenv("AWS_ALLOW_HTTP", "true")
        state = StoreState("s3://bucket/log", every_seconds=0.0, wait_seconds=0.1)
        begun = time.monotonic()
        assert [state.told() for _ in range(3)] == ["unreachable: does not answer"] * 3
        assert time.monotonic() - begun < 2
