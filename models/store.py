"""Bundles and single objects at a URI: file://, s3://, gs:// or https://, through obstore, so without a cloud SDK.

The tracking step puts bundles, the server and evaluation fetch them, checkpoints and captures are single objects.
Credentials and endpoints come from the environment, as each store's own tools read them (AWS_..., GOOGLE_...).
"""

import shutil
import tempfile
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError, NotFoundError
from obstore.store import ObjectStore

from models.bundle import BUNDLE, Bundle, BundleError, Digest, open_bundle, parse_manifest, verified
from models.declaration import did_you_mean
from models.errors import ConfigError
from models.files import move_into_place, write_synced
from models.object_store import PATIENT, ObjectMissing, Patience, StoreError, open_store, why

__all__ = ["BundleExists", "ObjectMissing", "StoreError", "fetch", "put", "read_bytes", "write_bytes"]

SCHEMES = ("file", "s3", "gs", "https")
MAX_MANIFEST_BYTES = 16 * 2**20  # a manifest of 10,000 categories is under 1 MB


class BundleExists(BundleError):  # noqa: N818
    """Another bundle is at the URI already: what was once uploaded is never replaced."""


def fetch(uri: str, destination: Path, digest: Digest | None, *, patience: Patience = PATIENT) -> Bundle:
    """The bundle at `uri`, whole and verified in `destination`, or not there at all.

    Only the files that its manifest lists are fetched, so no listing is needed and nothing else can come along. A
    destination that holds the bundle of this digest already, every byte, is left as it is.

    Raises:
        ObjectMissing, StoreError: it cannot be had.
        BundleError: what is there is not the bundle of this digest.
    """
    if digest is not None and destination.is_dir():
        try:
            return open_bundle(destination, digest)
        except BundleError:
            pass  # an older or damaged copy: replaced below
    store = _open(uri, create=False, patience=patience)
    data = _get(store, BUNDLE, uri)
    if len(data) > MAX_MANIFEST_BYTES:
        raise BundleError(f"{uri}/{BUNDLE}: {len(data)} bytes, must be at most {MAX_MANIFEST_BYTES}")
    manifest = parse_manifest(uri, data, digest)
    destination.parent.mkdir(parents=True, exist_ok=True)
    temporary = Path(tempfile.mkdtemp(prefix=f".{destination.name}.", suffix=".tmp", dir=destination.parent))
    try:
        write_synced(temporary / BUNDLE, data)
        for name, entry in manifest.files.items():
            content = _get(store, name, uri)
            verified(f"{uri}/{name}", entry, content)
            write_synced(temporary / name, content)
        found = open_bundle(temporary, digest).digest
        move_into_place(temporary, destination)
    finally:
        shutil.rmtree(temporary, ignore_errors=True)  # gone already where the move succeeded
    return open_bundle(destination, found)


def put(folder: Path, uri: str) -> Digest:
    """Copy the bundle in `folder` to `uri`, its manifest last, so that what has one is whole. Twice is as good as once.

    Raises:
        BundleError: `folder` is no valid bundle, or another bundle is at `uri` (BundleExists).
        StoreError: the store refuses.
    """
    bundle = open_bundle(folder, None)
    manifest = (folder / BUNDLE).read_bytes()
    store = _open(uri, create=True)
    try:
        there = _get(store, BUNDLE, uri)
    except ObjectMissing:
        there = manifest
    if there != manifest:
        raise BundleExists(f"{uri}: holds another bundle; put this one under a URI of its own, such as its digest")
    for name in bundle.manifest.files:
        _put(store, name, bundle.read(name), uri)
    _put(store, BUNDLE, manifest, uri)
    return bundle.digest


def read_bytes(uri: str) -> bytes:
    """The object at `uri`.

    Raises:
        ObjectMissing: there is none (a FileNotFoundError too).
        StoreError: the store refuses.
    """
    folder, name = _split(uri)
    return _get(_open(folder, create=False), name, folder)


def write_bytes(uri: str, data: bytes) -> None:
    """Put `data` at `uri`, whole or not at all, in place of what was there.

    Raises:
        StoreError: the store refuses.
    """
    folder, name = _split(uri)
    _put(_open(folder, create=True), name, data, folder)


def _split(uri: str) -> tuple[str, str]:
    folder, _, name = uri.rpartition("/")
    if not name or "://" not in folder + "/":
        raise ConfigError([f"uri: -: got {uri!r}, must be scheme://place/name"])
    return folder, unquote(name)


def _open(uri: str, *, create: bool, patience: Patience = PATIENT) -> ObjectStore:
    scheme = urlsplit(uri).scheme
    if scheme not in SCHEMES:
        hint = did_you_mean(scheme, SCHEMES)
        rule = f"must begin with one of {', '.join(f'{known}://' for known in SCHEMES)}"
        raise ConfigError([f"uri: -: got {uri!r}, {rule}{', ' + hint if hint else ''}"])
    if scheme == "file":
        folder = Path(unquote(urlsplit(uri).path))
        if urlsplit(uri).netloc or not folder.is_absolute():
            raise ConfigError([f"uri: -: got {uri!r}, must be file:/// and an absolute path"])
        if create:
            folder.mkdir(parents=True, exist_ok=True)
        elif not folder.is_dir():
            raise ObjectMissing(f"{uri}: no such folder; check the URI")
    return open_store(uri, patience)


def _get(store: ObjectStore, name: str, uri: str) -> bytes:
    try:
        return bytes(obstore.get(store, name).bytes())
    except (FileNotFoundError, NotFoundError) as err:
        raise ObjectMissing(f"{uri}/{name}: not found; check the URI") from err
    except (BaseError, OSError) as err:
        raise StoreError(f"{uri}/{name}: cannot be read {why(err, 'check access and network')}") from err


def _put(store: ObjectStore, name: str, data: bytes, uri: str) -> None:
    try:
        obstore.put(store, name, data)
    except (BaseError, OSError) as err:
        raise StoreError(f"{uri}/{name}: cannot be written {why(err, 'check access and space')}") from err
