"""The shelf: the latest judgement of each check, for the last so many versions, as files in a folder.

A file is there whole or not at all. The report's page is made from them when it is asked for.
"""

import os
import re
import shutil
import tempfile
import threading
from collections.abc import Mapping
from pathlib import Path

from services.drift.entry import Entry

NAME = re.compile(r"([a-z][a-z0-9]{0,31}-)?[a-z][a-z0-9]{0,99}-[a-z0-9]{1,63}")


class Shelf:
    """Reports by name; the oldest go first."""

    def __init__(self, folder: Path, *, max_reports: int) -> None:
        self._folder = folder
        self._max_reports = max_reports
        self._lock = threading.Lock()

    def keep(self, entry: Entry) -> None:
        """Puts an entry in place of the former of its check. Entries of other pods of the same version go.

        Raises:
            OSError: the disk refuses.
        """
        with self._lock:
            folder = self._folder / entry.report
            folder.mkdir(parents=True, exist_ok=True)
            for path, former in _read(folder):
                if former is None or former.candidate_hash != entry.candidate_hash:
                    path.unlink(missing_ok=True)
            _write(folder / f"{entry.check}.json", entry.to_json())
            os.utime(folder)  # a file replaced leaves its folder's time alone
            for old in self._newest_first()[self._max_reports :]:
                shutil.rmtree(old, ignore_errors=True)

    def report(self, name: str) -> Mapping[str, Entry]:
        """The entries of a report by check; none where there is no such report."""
        if not NAME.fullmatch(name):
            return {}
        return {entry.check: entry for _, entry in _read(self._folder / name) if entry is not None}

    def names(self) -> list[str]:
        """The reports' names, the newest first."""
        return [folder.name for folder in self._newest_first()]

    def _newest_first(self) -> list[Path]:
        if not self._folder.is_dir():
            return []
        found = [folder for folder in self._folder.iterdir() if NAME.fullmatch(folder.name)]
        return sorted(found, key=_time, reverse=True)


def _read(folder: Path) -> list[tuple[Path, Entry | None]]:
    """The files of a report with what they hold: None for one that is no entry, of an older judge perhaps."""
    found: list[tuple[Path, Entry | None]] = []
    for path in sorted(folder.glob("*.json")):
        try:
            found.append((path, Entry.from_json(path.read_bytes())))
        except ValueError:
            found.append((path, None))
        except FileNotFoundError:  # replaced or removed meanwhile
            continue
    return found


def _write(path: Path, data: bytes) -> None:
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", suffix=".tmp", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            file.write(data)
        os.replace(temporary, path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def _time(folder: Path) -> int:
    try:
        return folder.stat().st_mtime_ns
    except FileNotFoundError:
        return 0
