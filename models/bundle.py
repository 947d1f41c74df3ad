"""The bundle: the folder that training hands to serving, written at once and verified to the last byte.

bundle.json lists hash and size of every other file, so its own sha256, the digest, covers them all. Nothing in a bundle
is unpickled. The training step writes, everyone else opens.
"""

import hashlib
import json
import shutil
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any, NewType

import numpy as np

from models.bundle_errors import (
    BundleError,
    DigestMismatch,
    FileMissing,
    FileTampered,
    FileTruncated,
    FileUnexpected,
    NotABundle,
    PathEscapes,
    SelfTestFailed,
    UnknownFormat,
)
from models.feature import Feature
from models.files import move_into_place, write_synced
from models.findings import Matrix
from models.manifest import (
    FORMAT,
    FileEntry,
    Golden,
    Lineage,
    Manifest,
    Output,
    Tolerance,
    background_json,
    canonical,
    manifest_from_json,
)

__all__ = [
    "BACKGROUND", "GOLDEN", "HELD_OUT", "MODEL", "REFERENCE", "Bundle", "BundleError", "Digest", "DigestMismatch",
    "FileEntry", "FileMissing", "FileTampered", "FileTruncated", "FileUnexpected", "Golden", "Lineage", "Manifest",
    "NotABundle", "Output", "PathEscapes", "SelfTestFailed", "Tolerance", "UnknownFormat", "background_json",
    "canonical", "digest", "open_bundle", "parse_manifest", "verified", "write",
]  # fmt: skip

Digest = NewType("Digest", str)

BUNDLE, MODEL, GOLDEN = "bundle.json", "model.onnx", "golden.json"
REFERENCE, HELD_OUT, BACKGROUND = "reference.parquet", "held_out.parquet", "background.json"
REQUIRED = (MODEL, GOLDEN, REFERENCE, HELD_OUT, BACKGROUND)


@dataclass(frozen=True)
class Bundle:
    """A verified bundle."""

    folder: Path
    manifest: Manifest
    digest: Digest

    @property
    def features(self) -> tuple[Feature, ...]:
        """Inputs in the order of the graph's columns."""
        return self.manifest.inputs

    @cached_property
    def golden(self) -> Golden:
        """Golden rows and the outputs expected of them."""
        return Golden.from_json(self.read(GOLDEN))

    @cached_property
    def background(self) -> Matrix:
        """(n <= 100, n_features) encoded training rows, for explanations."""
        rows = json.loads(self.read(BACKGROUND))
        return np.array(rows, dtype=np.float32).reshape(-1, len(self.features))  # null becomes NaN

    @property
    def size(self) -> int:
        """Bytes of all files together."""
        return (self.folder / BUNDLE).stat().st_size + sum(entry.size for entry in self.manifest.files.values())

    def read(self, name: str) -> bytes:
        """A file's bytes, verified again: they may have changed since the bundle was opened.

        Raises:
            FileMissing, FileTruncated, FileTampered: they have.
        """
        path = _inside(self.folder, name)
        if not path.is_file():
            raise FileMissing(f"{path}: missing, bundle.json lists it; fetch the bundle again")
        data = path.read_bytes()
        verified(str(path), self.manifest.files[name], data)
        return data


def write(folder: Path, manifest: Manifest, files: Mapping[str, bytes | Path]) -> Digest:
    """Write a bundle to `folder`: whole or not at all, whenever the process is killed. A former one is replaced.

    Args:
        folder: where the bundle is to be; its parent is made.
        manifest: all of it but `files`, which is filled in here.
        files: content, or a path to copy from, by name; every required file among them.

    Raises:
        FileMissing: a required file is not among `files`.
        PathEscapes: a name that is no plain file name.
    """
    missing = [name for name in REQUIRED if name not in files]
    if missing:
        raise FileMissing(f"{folder}: a bundle needs {', '.join(missing)} too")
    folder.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{folder.name}.", suffix=".tmp", dir=folder.parent))
    try:
        entries: dict[str, FileEntry] = {}
        for name, content in files.items():
            _plain(str(folder), name)
            path = temporary / name
            write_synced(path, content if isinstance(content, bytes) else content.read_bytes())
            entries[name] = FileEntry(sha256=_sha256(path), size=path.stat().st_size)
        full = manifest.model_copy(update={"files": entries})
        write_synced(temporary / BUNDLE, canonical(full.model_dump(mode="json")))
        opened = open_bundle(temporary, None)
        move_into_place(temporary, folder)
        return opened.digest
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # gone already where the move succeeded


def digest(folder: Path) -> Digest:
    """`sha256:` and the hex sha256 of bundle.json.

    Raises:
        NotABundle: there is none.
    """
    return _digest(_read_manifest(folder))


def open_bundle(folder: Path, digest: Digest | None) -> Bundle:
    """The bundle in `folder`, every byte verified.

    Args:
        folder: holds bundle.json and the files that it lists, nothing else.
        digest: the one that git, MLflow or the caller names; None only where the bundle was just made.

    Raises:
        BundleError: a subclass for each way in which it is not that bundle.
    """
    data = _read_manifest(folder)
    manifest = parse_manifest(str(folder), data, digest)
    present = {path.name for path in folder.iterdir()} - {BUNDLE}
    for name in sorted({*REQUIRED, *manifest.files} - present):
        raise FileMissing(f"{folder / name}: missing, a bundle has it; fetch the bundle again")
    for name in sorted(present - set(manifest.files)):
        raise FileUnexpected(f"{folder / name}: unexpected, bundle.json does not list it; remove it")
    for name, entry in manifest.files.items():
        path = _inside(folder, name)
        if not path.is_file():
            raise FileTampered(f"{path}: is no regular file; fetch the bundle again")
        _same(str(path), entry, size=path.stat().st_size, sha256=_sha256(path))
    bundle = Bundle(folder, manifest, _digest(data))
    _ = bundle.golden  # its shape is part of the contract
    return bundle


def parse_manifest(source: str, data: bytes, digest: Digest | None) -> Manifest:
    """What the bytes of a bundle.json say, after they are known to be the ones asked for.

    Raises:
        DigestMismatch, NotABundle, UnknownFormat, PathEscapes: they are not, or say what no bundle says.
    """
    found = _digest(data)
    if digest is not None and found != digest:
        raise DigestMismatch(f"{source}: digest {found}, must be {digest}; fetch the bundle of that digest")
    try:
        loaded: Any = json.loads(data)
    except (ValueError, RecursionError) as err:
        raise NotABundle(f"{source}/{BUNDLE}: is not JSON ({err}); fetch the bundle again") from err
    if not isinstance(loaded, dict) or "format" not in loaded:
        raise NotABundle(f"{source}/{BUNDLE}: names no format; fetch the bundle again")
    version = loaded["format"]
    if type(version) is not int or version != FORMAT:
        raise UnknownFormat(f"{source}/{BUNDLE}: format {version!r}, this code reads {FORMAT}; use a matching image")
    manifest = manifest_from_json(loaded)
    for name in manifest.files:
        _plain(source, name)
    return manifest


def verified(source: str, entry: FileEntry, data: bytes) -> None:
    """Nothing, where `data` is what `entry` says.

    Raises:
        FileTruncated, FileTampered: it is not.
    """
    _same(source, entry, size=len(data), sha256=hashlib.sha256(data).hexdigest())


def _read_manifest(folder: Path) -> bytes:
    path = _inside(folder, BUNDLE)
    try:
        return path.read_bytes()
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        raise NotABundle(f"{folder}: has no bundle.json; point at the folder that training wrote") from None


def _plain(source: str, name: str) -> None:
    if name in ("", ".", "..", BUNDLE) or any(sign in name for sign in "/\\\0"):
        raise PathEscapes(f"{source}: {name!r} is no plain name of a file beside bundle.json; do not trust the bundle")


def _inside(folder: Path, name: str) -> Path:
    """The file `name` directly in `folder`, which may be absent but no link."""
    path = folder / name
    if path.is_symlink():
        raise PathEscapes(f"{path}: is a link; a bundle holds files only")
    return path


def _same(path: str, entry: FileEntry, *, size: int, sha256: str) -> None:
    if size < entry.size:
        raise FileTruncated(f"{path}: {size} bytes, must be {entry.size}; fetch the bundle again")
    if size > entry.size or sha256 != entry.sha256:
        raise FileTampered(f"{path}: sha256 {sha256[:12]}..., must be {entry.sha256[:12]}...; fetch the bundle again")


def _digest(data: bytes) -> Digest:
    return Digest(f"sha256:{hashlib.sha256(data).hexdigest()}")


def _sha256(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
