"""One judge for several environments: each has a capture log of its own, and a request says which."""

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from models.store import StoreError
from services.drift.sources import Sources
from tests.services.drift.capture_log import leave
from tests.specimens.making import KEPT, made

NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)


def _rows(sources: Sources) -> int:
    return len(sources.window("diabetes", "abc", NOW - timedelta(minutes=30), NOW, NOW).rows)


def _sources(folder: Path, uri: str) -> Sources:
    return Sources(uri, (KEPT.as_uri(),), folder / "cache")


def test_a_request_reads_the_log_of_its_own_environment(tmp_path: Path) -> None:
    for environment, n_rows in (("staging", 20), ("production", 30)):
        leave(tmp_path / environment, made("diabetes-stable"), pods="abc", version="1", n_rows=n_rows, until=NOW)
    sources = _sources(tmp_path, f"{tmp_path.as_uri()}/{{environment}}")
    assert (_rows(sources.of("staging")), _rows(sources.of("production"))) == (20, 30)
    assert sources.of("staging").references is sources.references
    with pytest.raises(StoreError, match="the request names none: add `environment`"):
        _rows(sources.of(""))


def test_one_log_for_all_is_read_whatever_a_request_names(tmp_path: Path) -> None:
    leave(tmp_path, made("diabetes-stable"), pods="abc", version="1", n_rows=20, until=NOW)
    sources = _sources(tmp_path, tmp_path.as_uri())
    assert (_rows(sources.of("staging")), _rows(sources.of(""))) == (20, 20)
