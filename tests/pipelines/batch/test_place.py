"""A place's files are there whole or not at all, and one worker of a machine makes a file at a time."""

import os
import threading
from pathlib import Path

import pytest

from models.errors import ConfigError
from models.object_store import ObjectMissing, StoreError
from pipelines.batch.place import Bucket, Folder, hash_of, open_place


@pytest.fixture
def place(tmp_path: Path) -> Folder:
    return Folder(tmp_path / "place")


def test_a_file_appears_when_it_is_whole(place: Folder) -> None:
    with place.writing("deep/a") as path:
        path.write_text("whole")
        assert place.size("deep/a") is None
    assert (place.read("deep/a"), place.size("deep/a"), place.sha256("deep/a")) == (
        b"whole",
        5,
        hash_of(path.with_name("a")),
    )
    assert [found.name for found in place.files()] == ["deep/a"]


def test_a_file_that_could_not_be_written_leaves_the_former_one(place: Folder) -> None:
    with place.writing("a") as path:
        path.write_text("former")
    with pytest.raises(TypeError), place.writing("a") as path:
        path.write_text(None)  # type: ignore[arg-type]
    assert place.read("a") == b"former"
    assert [found.name for found in place.files()] == ["a"]


def test_what_a_killed_worker_left_is_taken_over(place: Folder) -> None:
    place.path.mkdir()
    (place.path / ".a.partial").write_text("a killed worker's, and longer")
    with place.turn("a"), place.writing("a") as path:
        path.write_text("whole")
    assert [(found.name, found.size) for found in place.files()] == [("a", 5)]


def test_a_turn_without_a_file_leaves_nothing(place: Folder) -> None:
    with place.turn("a"):
        pass
    assert list(place.files()) == []


def test_turns_do_not_overlap(place: Folder) -> None:
    inside, most = 0, 0
    counting = threading.Lock()

    def work() -> None:
        nonlocal inside, most
        for _ in range(25):
            with place.turn("a"), place.writing("a") as path:
                with counting:
                    inside += 1
                    most = max(most, inside)
                path.write_text("x")
                with counting:
                    inside -= 1

    workers = [threading.Thread(target=work) for _ in range(4)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert most == 1
    assert [found.name for found in place.files()] == ["a"]


def test_a_file_that_changes_while_it_is_read_is_told(place: Folder) -> None:
    with place.writing("a") as path:
        path.write_text("before")
    with pytest.raises(StoreError, match="was changed while it was read"), place.local("a") as path:
        path.write_text("after it was begun")


def test_a_file_that_is_not_there_is_told(place: Folder) -> None:
    assert (place.read("a"), place.sha256("a"), place.size("a")) == (None, None, None)
    with pytest.raises(ObjectMissing), place.local("a"):
        pass


def test_a_uri_tells_the_place(tmp_path: Path) -> None:
    spaced = tmp_path / "with space"
    assert open_place(spaced.as_uri(), tmp_path) == Folder(spaced)
    assert open_place(spaced.as_uri(), tmp_path).uri == spaced.as_uri()
    assert open_place("s3://bucket/rows/", tmp_path) == Bucket("s3://bucket/rows", tmp_path)


@pytest.mark.parametrize("uri", ["rows", "/rows", "ftp://host/rows", "s3:///rows", "file://host/rows", ""])
def test_anything_else_is_refused(uri: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="must be file:///FOLDER"):
        open_place(uri, tmp_path)


def test_no_lock_outlives_its_holder(place: Folder) -> None:
    """A fork that is killed in its turn lets go."""
    place.path.mkdir()
    child = os.fork()
    if not child:
        with place.turn("a"):
            os._exit(9)
    os.waitpid(child, 0)
    with place.turn("a"), place.writing("a") as path:
        path.write_text("whole")
    assert place.read("a") == b"whole"
