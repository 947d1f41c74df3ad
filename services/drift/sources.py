"""Where the judge reads: the capture log, the bundles that its headers name, and the servers that it may ask."""

from collections.abc import Container
from copy import copy
from datetime import datetime
from fnmatch import fnmatchcase
from pathlib import Path

from models.judge_bounds import MAX_ROWS
from services.drift.feedback import Feedback, read_feedback
from services.drift.parts import Key
from services.drift.references import Reference, References
from services.drift.settings import ENVIRONMENT
from services.drift.windows import Window, read_window


class Sources:
    """Where the judge reads: made once, used by every judgement."""

    def __init__(
        self, capture_uri: str, stores: tuple[str, ...], cache: Path, replay_hosts: tuple[str, ...] = ()
    ) -> None:
        self.capture_uri = capture_uri
        self._replay_hosts = replay_hosts
        self.references = References(stores, cache)

    def of(self, environment: str) -> "Sources":
        """The same, reading the capture log of one environment where each has its own; "" where none was named."""
        if not environment or not self.capture_uri.endswith(ENVIRONMENT):
            return self
        there = copy(self)
        there.capture_uri = f"{self.capture_uri.removesuffix(ENVIRONMENT)}/{environment}"
        return there

    def may_ask(self, host: str) -> bool:
        """Whether rows may be sent to this host."""
        return any(fnmatchcase(host, pattern) for pattern in self._replay_hosts)

    def window(
        self,
        model: str,
        pod_hash: str,
        begin: datetime,
        end: datetime,
        now: datetime,
        *,
        most: int = MAX_ROWS,
        wanted: Container[Key] | None = None,
    ) -> Window:
        """Rows of one pod-template hash, at most `most`, of `wanted` keys only where they are given.

        Raises:
            StoreError: the log cannot be read.
        """
        return read_window(
            self.capture_uri, model=model, pod_hash=pod_hash, begin=begin, end=end, now=now, most=most, wanted=wanted
        )

    def feedback(self, model: str, begin: datetime, now: datetime) -> Feedback:
        """What was told since `begin` of a model's answers.

        Raises:
            StoreError: the log cannot be read.
        """
        return read_feedback(self.capture_uri, model=model, begin=begin, now=now)

    def reference(self, window: Window) -> Reference:
        """The bundle that answered a window's rows.

        Raises:
            MainlineError: it cannot be had.
        """
        header = window.header
        assert header is not None  # noqa: S101  (callers have looked)
        return self.references.get(model=header.model, uri=header.uri, digest=header.digest)
