"""Whether a server that was just started here is ready, and what it says that it serves. Called by `serve`."""

import http.client
import json
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

from models.errors import MainlineError


class NotServing(MainlineError):  # noqa: N818  (states what is so)
    """The process ended, did not become ready in time, or serves another digest than git says."""


def await_ready(process: "subprocess.Popen[bytes]", url: str, log: Path, timeout_seconds: float) -> None:
    """Returns once `url` answers with success.

    Raises:
        NotServing: the process ended before, or the time is over; the message has the end of its log.
    """
    deadline = time.monotonic() + timeout_seconds
    said = "nothing yet"
    while time.monotonic() < deadline:
        if process.poll() is not None:
            raise NotServing(f"the server ended with {process.returncode} before it was ready; {_tail(log)}")
        try:
            with _get(url):
                return
        except urllib.error.HTTPError as err:
            with err:
                said = f"{err.code} {err.read(500).decode('utf-8', 'replace')}"
        except (OSError, http.client.HTTPException) as err:
            said = str(err)
        time.sleep(0.05)  # starting takes about a second: this adds nothing that a person would notice
    raise NotServing(f"not ready after {timeout_seconds:g} s, {url} said: {said}; {_tail(log)}")


def served_digest(url: str) -> str | None:
    """The digest in a server's /metadata; None where it names none.

    Raises:
        NotServing: /metadata cannot be read.
    """
    try:
        with _get(f"{url}/metadata") as answer:
            metadata = json.loads(answer.read())
    except (OSError, http.client.HTTPException, json.JSONDecodeError) as err:
        raise NotServing(f"{url}/metadata cannot be read: {err}") from err
    found = metadata.get("digest") if isinstance(metadata, dict) else None
    return str(found) if found is not None else None


def _get(url: str) -> http.client.HTTPResponse:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))  # this machine's address needs no proxy
    answer: http.client.HTTPResponse = opener.open(url, timeout=5)
    return answer


def _tail(log: Path) -> str:
    lines = log.read_text(encoding="utf-8", errors="replace").strip().splitlines()[-5:]
    return f"{log}: {' | '.join(lines) or 'empty'}"
