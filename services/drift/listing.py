"""Which parts of the capture log may hold rows of a window: only its hours are listed. Used by `windows`."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore
from obstore.exceptions import BaseError
from obstore.store import ObjectStore

from models.object_store import BRIEF, ObjectMissing, StoreError, open_store, why
from services.drift.settings import ENVIRONMENT

# What a server holds at most, uncompressed; a part above it is none of ours.
MAX_PART_BYTES = 48 * 2**20


def open_log(uri: str) -> ObjectStore:
    """The store of a capture log.

    Raises:
        StoreError: there is none, or it cannot be opened.
    """
    if not uri:
        raise StoreError("no capture log is configured: set MAINLINE_CAPTURE_URI")
    if uri.endswith(ENVIRONMENT):
        raise StoreError(f"{uri}: each environment has a log of its own and the request names none: add `environment`")
    parts = urlsplit(uri)
    if parts.scheme == "file" and not Path(unquote(parts.path)).is_dir():
        raise ObjectMissing(f"{uri}: no such folder: nothing was captured yet, or the address is wrong")
    return open_store(uri, BRIEF)


def names_between(store: ObjectStore, model: str, pod_hash: str, begin: datetime, last: datetime) -> list[str]:
    """Parts that end between the two times, oldest first, of whatever version has the hash.

    Raises:
        StoreError: the log cannot be listed.
    """
    try:
        versions = [str(found) for found in obstore.list_with_delimiter(store, f"model={model}/")["common_prefixes"]]
    except (BaseError, OSError) as err:
        raise StoreError(f"the capture log cannot be listed {why(err, 'check access and network')}") from err
    pods = [f"{version.rstrip('/')}/hash={pod_hash}" for version in versions if "/version=" in version]
    return names_under(store, pods, begin, last)


def names_under(store: ObjectStore, folders: list[str], begin: datetime, last: datetime) -> list[str]:
    """Parts that end between the two times, oldest first, in the hours of these folders.

    Raises:
        StoreError: the log cannot be listed.
    """
    names: list[str] = []
    try:
        for parent in folders:
            hour = begin.astimezone(UTC).replace(minute=0, second=0, microsecond=0)
            while hour <= last:
                folder = f"{parent}/hour={hour:%Y-%m-%dT%H}/"
                first = f"{folder}{begin.astimezone(UTC):%Y%m%dT%H%M%S%f}"
                for batch in obstore.list(store, folder, offset=first):
                    names += [str(meta["path"]) for meta in batch if meta["size"] <= MAX_PART_BYTES]
                hour += timedelta(hours=1)
    except (BaseError, OSError) as err:
        raise StoreError(f"the capture log cannot be listed {why(err, 'check access and network')}") from err
    until = f"{last.astimezone(UTC):%Y%m%dT%H%M%S%f}"
    stamped = [(name.rpartition("/")[2], name) for name in names]
    return [name for stamp, name in sorted(stamped) if stamp < until]


def evenly(names: list[str]) -> Iterator[str]:
    """The last of the names, then the others so that every beginning of the order is spread over all of them.

    Source: van der Corput's sequence in base 2.
    """
    if not names:
        return
    yield names[-1]
    bits = max(1, (len(names) - 1).bit_length())
    for number in range(2**bits):
        index = int(format(number, f"0{bits}b")[::-1], 2)
        if index < len(names) - 1:
            yield names[index]
