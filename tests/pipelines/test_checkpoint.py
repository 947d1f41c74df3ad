"""Checkpoints at a URI: found by the same training alone, and only when whole."""

from pathlib import Path

import pytest

from pipelines.checkpoint import Checkpoint, key_of

TRAINING: dict[str, object] = {"model": "digits", "commit": "a" * 40, "data_md5": "b.dir", "parameters": {"epochs": 3}}


def at(folder: Path) -> Checkpoint:
    return Checkpoint(f"file://{folder}/states", "digits-key")


def test_nothing_is_saved_at_first(tmp_path: Path) -> None:
    assert at(tmp_path).load() is None


def test_last_state_is_found_by_another_process_of_the_same_training(tmp_path: Path) -> None:
    at(tmp_path).save(b"one")
    at(tmp_path).save(b"two")
    assert at(tmp_path).load() == b"two"


@pytest.mark.parametrize("damage", [lambda d: d[:-1], lambda d: b"", lambda d: d[:-1] + b"!", lambda d: b"other" + d])
def test_damaged_state_counts_as_none(tmp_path: Path, damage: object) -> None:
    at(tmp_path).save(b"a state of some length")
    path = Path(at(tmp_path).uri.removeprefix("file://"))
    assert callable(damage)
    path.write_bytes(damage(path.read_bytes()))
    assert at(tmp_path).load() is None


@pytest.mark.parametrize(
    ("name", "value"),
    [("model", "iris"), ("commit", "c" * 40), ("data_md5", "d.dir"), ("parameters", {"epochs": 4})],
)
def test_key_changes_with_what_decides_the_training(name: str, value: object) -> None:
    assert key_of(**TRAINING) != key_of(**{**TRAINING, name: value})  # type: ignore[arg-type]


def test_key_does_not_change_with_the_order_of_parameters() -> None:
    first, second = {"a": 1, "b": 2}, {"b": 2, "a": 1}
    keys = {key_of(model="m", commit="c", data_md5="d", parameters=each) for each in (first, second)}
    assert len(keys) == 1
