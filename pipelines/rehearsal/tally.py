"""What callers saw: requests, errors and latency of each revision, second by second. Traffic's threads write it."""

import math
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

# Of one second and revision: enough for a p99, bounded whatever the rate.
_MOST_LATENCIES = 2000


@dataclass
class _Second:
    requests: int = 0
    errors: int = 0
    latencies: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Seen:
    """What callers of one revision saw in a span of time.

    Attributes:
        requests: that ended in it.
        errors: of those, not answered with 2xx.
        p99_seconds: of those, the latency that one in a hundred exceeds, counted from when each was due; None without
            any.
    """

    requests: int
    errors: int
    p99_seconds: float | None

    @property
    def error_ratio(self) -> float | None:
        """Errors by requests; None without any."""
        return self.errors / self.requests if self.requests else None


class Tally:
    """Counts by revision and second since the traffic began."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seconds: dict[tuple[str, int], _Second] = {}

    def add(self, revision: str, at: float, seconds: float, *, answered: bool) -> None:
        """One request that ended `at` seconds after the beginning and took `seconds`."""
        with self._lock:
            second = self._seconds.setdefault((revision, int(at)), _Second())
            second.requests += 1
            second.errors += not answered
            if len(second.latencies) < _MOST_LATENCIES:
                second.latencies.append(seconds)

    def seen(self, revision: str, since: float = 0.0, until: float = math.inf) -> Seen:
        """What was seen in the whole seconds from `since` up to, not including, `until`."""
        with self._lock:
            spans = [
                second
                for (name, number), second in self._seconds.items()
                if name == revision and math.floor(since) <= number < until
            ]
            latencies = [value for span in spans for value in span.latencies]
            return Seen(sum(s.requests for s in spans), sum(s.errors for s in spans), percentile(latencies, 0.99))


def percentile(values: Sequence[float], share: float) -> float | None:
    """The smallest value that at least `share` of all values do not exceed; None without any."""
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, max(0, math.ceil(share * len(ordered)) - 1))] if ordered else None
