"""A window of the capture log: the rows that are needed, evenly over its time; what is odd is named, nothing raises."""

import gzip
import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import obstore
import pytest

from models.store import StoreError, write_bytes
from services.drift.listing import evenly
from services.drift.windows import Window, read_window
from services.replayed import PREFIX

NOW = datetime(2026, 3, 1, 12, 5, tzinfo=UTC)
DIGEST = "sha256:" + "a" * 64
Write = Callable[..., str]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes a part that ends at a time; returns its path."""

    def written(
        at: datetime,
        n_rows: int = 10,
        *,
        pods: str = "abc",
        data: bytes | None = None,
        step: float = 0.1,
        request_id: str = "r1",
        **header: Any,
    ) -> str:
        head = {
            "capture": 1, "model": "iris", "version": "3", "digest": DIGEST, "uri": "file:///x", "hash": pods,
            "pod": "p", "masked": [],
        } | header  # fmt: skip
        times = [at - timedelta(seconds=step * (n_rows - 1 - number)) for number in range(n_rows)]
        rows = [
            {
                "time": time.isoformat(),
                "request_id": request_id,
                "features": {"x": number},
                "prediction": {"prediction": 1.0},
            }
            for number, time in enumerate(times)
        ]
        text = "".join(json.dumps(line) + "\n" for line in [head, *rows])
        name = f"model=iris/version=3/hash={pods}/hour={at:%Y-%m-%dT%H}/{at:%Y%m%dT%H%M%S%f}-p-{n_rows}.jsonl.gz"
        write_bytes(f"{tmp_path.as_uri()}/{name}", gzip.compress(text.encode()) if data is None else data)
        return name

    return written


def _read(folder: Path, *, minutes: float = 30, most: int = 5000, end: datetime = NOW) -> Window:
    begin = end - timedelta(minutes=minutes)
    return read_window(folder.as_uri(), model="iris", pod_hash="abc", begin=begin, end=end, now=NOW, most=most)


def test_rows_of_the_window_come_in_the_order_of_their_time(tmp_path: Path, write: Write) -> None:
    for minutes in (1, 20, 10, 29):
        write(NOW - timedelta(minutes=minutes))
    write(NOW - timedelta(minutes=31))
    write(NOW - timedelta(minutes=2), pods="other")
    found = _read(tmp_path)
    assert len(found.rows) == 40
    assert list(found.times) == sorted(found.times)
    assert found.header is not None
    assert (found.header.version, found.header.digest) == ("3", DIGEST)
    assert found.oddities == ()


def test_rows_before_and_after_the_window_are_left_though_their_part_is_read(tmp_path: Path, write: Write) -> None:
    write(NOW + timedelta(minutes=-29, seconds=-30), 10, step=12.0)
    write(NOW, 10, step=12.0)
    found = _read(tmp_path, end=NOW - timedelta(minutes=1))
    assert min(found.times) >= NOW - timedelta(minutes=31)
    assert max(found.times) <= NOW - timedelta(minutes=1)
    assert len(found.rows) == 8 + 5


def test_what_the_judge_itself_sent_is_no_traffic(tmp_path: Path, write: Write) -> None:
    write(NOW - timedelta(minutes=1), 10)
    write(NOW - timedelta(minutes=2), 7, request_id=f"{PREFIX}5f")
    found = _read(tmp_path)
    assert len(found.rows) == 10
    assert found.oddities == ()


def test_no_more_is_read_than_is_needed_and_that_from_all_over_the_window(tmp_path: Path, write: Write) -> None:
    for seconds in range(0, 1800, 10):
        write(NOW - timedelta(seconds=seconds), 100, step=0.01)
    found = _read(tmp_path, most=1000)
    assert len(found.rows) == 1000
    assert max(found.times) == NOW
    thirds = [sum(time < NOW - timedelta(minutes=minutes) for time in found.times) for minutes in (10, 20)]
    assert 400 < thirds[0] < 900
    assert 200 < thirds[1] < 500


def test_parts_that_end_long_after_the_window_are_not_read(tmp_path: Path, write: Write) -> None:
    write(NOW - timedelta(minutes=40))
    later = tmp_path / write(NOW - timedelta(minutes=20))
    later.write_bytes(b"would be named")
    assert _read(tmp_path, end=NOW - timedelta(minutes=30)).oddities == ()


def test_parts_are_taken_evenly() -> None:
    names = [f"{number:03}" for number in range(100)]
    order = list(evenly(names))
    assert sorted(order) == names
    assert order[0] == "099"
    assert {int(name) // 25 for name in order[1:5]} == {0, 1, 2, 3}
    assert list(evenly([])) == []
    assert list(evenly(["a"])) == ["a"]


def test_an_empty_log_has_no_header_and_no_log_is_an_error(tmp_path: Path) -> None:
    assert _read(tmp_path) == Window()
    for uri in ("", (tmp_path / "nowhere").as_uri(), "s4://x"):
        with pytest.raises(StoreError):
            read_window(uri, model="iris", pod_hash="abc", begin=NOW, end=NOW, now=NOW)


@pytest.mark.parametrize(
    ("spoil", "rows", "words"),
    [
        (lambda data: data[:-40], 100, "cut short"),
        (lambda data: data[:40] + b"\x00" * 40 + data[80:], 100, "damaged"),
        (lambda data: b"", 100, "no header"),
        (lambda data: b"nothing of the kind", 100, "no gzip file"),
        (lambda data: gzip.compress(b"not JSON\n"), 100, "no header"),
        (lambda data: gzip.compress(gzip.decompress(data).split(b"\n", 1)[1]), 100, "no header"),
        (lambda data: gzip.compress(gzip.decompress(data) + b"{}\n[1]\n\xff\n"), 110, "no rows"),
        (lambda data: gzip.compress(gzip.decompress(data).replace(b'"capture": 1', b'"capture": 2')), 100, "no header"),
        (lambda data: gzip.compress(gzip.decompress(data).replace(b'"iris"', b'"rose"')), 100, "of rose"),
        (lambda data: gzip.compress(gzip.decompress(data).replace(b"a" * 64, b"b" * 64)), 100, "another bundle"),
        (lambda data: gzip.compress(gzip.decompress(data).replace(b'"features": {', b'"features": [')), 100, "no rows"),
        (lambda data: gzip.compress(b"x" * 2**26), 100, "no header"),
    ],
    ids=[
        "cut short", "flipped bits", "empty", "no gzip", "no JSON", "headless", "odd lines", "another format",
        "another model", "another bundle", "odd rows", "a bomb",
    ],
)  # fmt: skip
def test_an_odd_part_is_named_and_the_others_are_read(
    tmp_path: Path, write: Write, spoil: Callable[[bytes], bytes], rows: int, words: str
) -> None:
    odd = tmp_path / write(NOW - timedelta(minutes=5))
    for minutes in range(10, 20):
        write(NOW - timedelta(minutes=minutes))
    write(NOW)
    odd.write_bytes(spoil(odd.read_bytes()))
    found = _read(tmp_path)
    assert words in " ".join(found.oddities)
    assert rows <= len(found.rows) - 10 < rows + 10


def test_rows_from_the_future_are_left_and_named(tmp_path: Path, write: Write) -> None:
    write(NOW)
    write(NOW + timedelta(minutes=58))
    found = _read(tmp_path)
    assert len(found.rows) == 10
    assert "from the future, up to 3480 s: a clock is wrong" in found.oddities[0]
    assert len(_read(tmp_path, end=NOW + timedelta(seconds=5)).rows) == 10


def test_a_slightly_fast_clock_is_forgiven(tmp_path: Path, write: Write) -> None:
    write(NOW + timedelta(seconds=2))
    assert len(_read(tmp_path, end=NOW + timedelta(seconds=5)).rows) == 10


def test_only_the_hours_of_the_window_are_listed(tmp_path: Path, write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    write(NOW)
    write(NOW - timedelta(days=3))
    listed: list[str] = []
    real: Callable[..., Any] = obstore.list

    def spy(store: object, prefix: str, **options: Any) -> Any:
        listed.append(prefix[-14:-1])
        return real(store, prefix, **options)

    monkeypatch.setattr(obstore, "list", spy)
    _read(tmp_path, minutes=30)
    assert listed == ["2026-03-01T11", "2026-03-01T12", "2026-03-01T13"]
