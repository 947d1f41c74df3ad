"""Whether the capture log can be reached: what /ready tells a person, and no probe decides by."""

import threading
import time
from pathlib import Path
from urllib.parse import unquote, urlsplit

import obstore

from models.object_store import BRIEF, open_store


class StoreState:
    """Looks at most every few seconds, in a thread that nobody waits for long."""

    def __init__(self, uri: str, *, every_seconds: float = 5.0, wait_seconds: float = 0.5) -> None:
        self._uri = uri
        self._every_seconds = every_seconds
        self._wait_seconds = wait_seconds
        self._looked_at = float("-inf")
        self._state = ""
        self._lock = threading.Lock()
        self._looking: threading.Thread | None = None

    def told(self) -> str:
        """One line: "reachable", or why not, at the last look."""
        with self._lock:
            if self._looking is None or not self._looking.is_alive():
                if time.monotonic() - self._looked_at < self._every_seconds:
                    return self._state
                self._looked_at = time.monotonic()
                self._looking = threading.Thread(target=self._look, name="store", daemon=True)
                self._looking.start()
            looking = self._looking
        looking.join(self._wait_seconds)
        return "unreachable: does not answer" if looking.is_alive() else self._state

    def _look(self) -> None:
        try:
            parts = urlsplit(self._uri)
            if parts.scheme == "file" and not Path(unquote(parts.path)).is_dir():
                self._state = "unreachable: no such folder"
                return
            obstore.list_with_delimiter(open_store(self._uri, BRIEF))
            self._state = "reachable"
        except Exception as err:  # noqa: BLE001  (told, whatever it is)
            self._state = f"unreachable: {type(err).__name__}"
