"""Logs as JSON lines on standard output: one event per decision, with its value and rule. Never rows or credentials.

A server's lines each carry model, version and digest, so that a line found anywhere leads back to a commit.
"""

import json
import logging
import sys
import traceback
from collections.abc import Mapping
from contextvars import ContextVar
from datetime import UTC, datetime

_STANDARD = frozenset(logging.makeLogRecord({}).__dict__) | {"message", "asctime", "color_message", "taskName"}

log = logging.getLogger("mainline")
# Of the model that the running task or thread is about, in a server of several.
identity: ContextVar[Mapping[str, str] | None] = ContextVar("identity", default=None)


class JsonLines(logging.Formatter):
    """One JSON object a line; what is passed as `extra` becomes members of it."""

    def __init__(self, constant: Mapping[str, str]) -> None:
        super().__init__()
        self._constant = dict(constant)

    def format(self, record: logging.LogRecord) -> str:
        event: dict[str, object] = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "logger": record.name,
            "event": record.getMessage(),
        }
        event |= self._constant
        event |= identity.get() or {}
        event |= {name: value for name, value in record.__dict__.items() if name not in _STANDARD}
        if record.exc_info and record.exc_info[0] is not None:
            # Frames and the type only: an exception's message may quote a caller's row.
            event["exception"] = record.exc_info[0].__name__
            event["frames"] = [
                f"{frame.filename}:{frame.lineno} {frame.name}" for frame in traceback.extract_tb(record.exc_info[2])
            ]
        return json.dumps(event, default=str)


def configure(level: str, constant: Mapping[str, str]) -> None:
    """Sends everything that this process logs, uvicorn's lines included, to standard output as JSON lines."""
    handler = logging.StreamHandler(sys.stdout)
    handler.setFormatter(JsonLines(constant))
    logging.basicConfig(level=level, handlers=[handler], force=True)
    # Uvicorn's own progress lines repeat ours; its warnings and errors do not.
    logging.getLogger("uvicorn").setLevel(logging.WARNING)
