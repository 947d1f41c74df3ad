"""Where files of rows and of predictions lie: a folder of this machine, or a bucket of an object store, by URI.

A file is there whole or not at all. In a folder a worker that was killed leaves a hidden `.partial` file, which the
next one takes over; a bucket shows an object once its last byte has arrived.
"""

import fcntl
import hashlib
import os
import tempfile
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Protocol
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore

from models.errors import ConfigError
from models.object_store import ObjectMissing, StoreError, open_store, why
from pipelines.batch.listing import Found, listed

# What one request asks for: at 1 MB/s it still arrives within the store's patience.
_PART_BYTES = 16 * 2**20


class Place(Protocol):
    """A folder or a bucket."""

    @property
    def uri(self) -> str:
        """Without a slash at its end."""

    def files(self, below: str = "") -> Iterator[Found]:
        """Every file of it, or of a folder of it, in no order, and each folder that could not be looked into."""

    def size(self, name: str) -> int | None:
        """A file's size in bytes; None where there is none."""

    def read(self, name: str) -> bytes | None:
        """A small file's bytes; None where there is none."""

    def sha256(self, name: str) -> str | None:
        """The hash, in hex, of a file's bytes as they are now; None where there is none."""

    def local(self, name: str) -> AbstractContextManager[Path]:
        """The file as one of this machine, as long as the context lasts."""

    def writing(self, name: str) -> AbstractContextManager[Path]:
        """A path to write the file to; it is there under its name once the context has ended without an error."""

    def remove(self, name: str) -> None:
        """Removes a file, if it is there."""

    def turn(self, name: str) -> AbstractContextManager[None]:
        """The right to make a file, until it is there: one worker of this machine at a time, in a bucket everybody."""


def open_place(uri: str, scratch: Path) -> Place:
    """The place at a URI; of a folder of this machine as it is called without links, so that two are told apart.

    Args:
        uri: file://, s3:// or gs://.
        scratch: folder for what must lie on this machine for a while.

    Raises:
        ConfigError: no such URI.
    """
    parts = urlsplit(uri)
    if parts.scheme == "file" and not parts.netloc and parts.path.startswith("/"):
        return Folder(Path(unquote(parts.path)).resolve())
    if parts.scheme in ("s3", "gs") and parts.netloc:
        return Bucket(uri.rstrip("/"), scratch)
    raise ConfigError([f"uri: -: got {uri!r}, must be file:///FOLDER, s3://BUCKET/FOLDER or gs://BUCKET/FOLDER"])


@dataclass(frozen=True)
class Folder:
    """A folder of this machine, which need not be there before something is written."""

    path: Path

    @property
    def uri(self) -> str:
        return self.path.as_uri()

    def files(self, below: str = "") -> Iterator[Found]:
        return listed(self.path, below)

    def size(self, name: str) -> int | None:
        path = self.path / name
        return path.stat().st_size if path.is_file() else None

    def read(self, name: str) -> bytes | None:
        path = self.path / name
        return path.read_bytes() if path.is_file() else None

    def sha256(self, name: str) -> str | None:
        path = self.path / name
        return hash_of(path) if path.is_file() else None

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        path = self.path / name
        if not path.is_file():
            raise ObjectMissing(f"{path}: not found; check the URI")
        before = path.stat()
        yield path
        after = path.stat()
        if (before.st_mtime_ns, before.st_size, before.st_ino) != (after.st_mtime_ns, after.st_size, after.st_ino):
            raise StoreError(f"{path}: was changed while it was read; run again when it is whole")

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        partial = self._partial(name)
        partial.parent.mkdir(parents=True, exist_ok=True)
        try:
            yield partial
        except BaseException:
            partial.unlink(missing_ok=True)
            raise
        with partial.open("rb") as file:
            os.fsync(file.fileno())
        os.replace(partial, self.path / name)

    def remove(self, name: str) -> None:
        (self.path / name).unlink(missing_ok=True)

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        partial = self._partial(name)
        partial.parent.mkdir(parents=True, exist_ok=True)
        while True:
            with partial.open("ab") as held:
                fcntl.flock(held, fcntl.LOCK_EX)
                if not _same(held.fileno(), partial):  # who had it before made the file, or gave up
                    continue
                try:
                    yield
                finally:
                    if _same(held.fileno(), partial):
                        partial.unlink()
                return

    def _partial(self, name: str) -> Path:
        path = self.path / name
        return path.with_name(f".{path.name}.partial")


@dataclass(frozen=True)
class Bucket:
    """A prefix of an object store's bucket; files pass through `scratch`, one at a time."""

    uri: str
    scratch: Path

    @cached_property
    def _store(self) -> ObjectStore:
        return open_store(self.uri)

    def files(self, below: str = "") -> Iterator[Found]:
        with self._asking(below, "listed"):
            for page in obstore.list(self._store, prefix=below or None):
                yield from (Found(each["path"], each["size"]) for each in page)

    def size(self, name: str) -> int | None:
        try:
            with self._asking(name, "read"):
                return int(obstore.head(self._store, name)["size"])
        except ObjectMissing:
            return None

    def read(self, name: str) -> bytes | None:
        try:
            return b"".join(self._parts(name))
        except ObjectMissing:
            return None

    def sha256(self, name: str) -> str | None:
        try:
            found = hashlib.sha256()
            for part in self._parts(name):
                found.update(part)
        except ObjectMissing:
            return None
        return found.hexdigest()

    @contextmanager
    def local(self, name: str) -> Iterator[Path]:
        with self._temporary(name) as path:
            with path.open("wb") as file:
                for part in self._parts(name):
                    file.write(part)
            yield path

    @contextmanager
    def writing(self, name: str) -> Iterator[Path]:
        with self._temporary(name) as path:
            yield path
            with self._asking(name, "written"):
                obstore.put(self._store, name, path)

    def remove(self, name: str) -> None:
        with suppress(ObjectMissing), self._asking(name, "removed"):
            obstore.delete(self._store, name)

    @contextmanager
    def turn(self, name: str) -> Iterator[None]:
        yield  # two that make the same file write the same bytes

    def _parts(self, name: str) -> Iterator[memoryview]:
        """The object's bytes in order, all of one state of it: a request each, since one has half a minute."""
        with self._asking(name, "read"):
            about = obstore.head(self._store, name)
            for start in range(0, about["size"], _PART_BYTES):
                wanted = (start, min(start + _PART_BYTES, about["size"]))
                answer = obstore.get(self._store, name, options={"range": wanted, "if_match": about["e_tag"]})
                yield memoryview(answer.bytes())

    @contextmanager
    def _temporary(self, name: str) -> Iterator[Path]:
        self.scratch.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=self.scratch) as folder:
            # its ending tells how it is to be read
            yield Path(folder) / name.rpartition("/")[2]

    @contextmanager
    def _asking(self, name: str, what: str) -> Iterator[None]:
        try:
            yield
        except (FileNotFoundError, NotFoundError) as err:
            raise ObjectMissing(f"{self.uri}/{name}: not found; check the URI") from err
        except (BaseError, OSError) as err:
            raise StoreError(f"{self.uri}/{name}: cannot be {what} {why(err, 'check access and network')}") from err


def hash_of(path: Path) -> str:
    """The sha256 of a file, in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _same(descriptor: int, path: Path) -> bool:
    try:
        there, held = path.stat(), os.fstat(descriptor)
    except FileNotFoundError:
        return False
    return (there.st_dev, there.st_ino) == (held.st_dev, held.st_ino)
