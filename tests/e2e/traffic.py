"""What the callers of a model counted: load.py in a pod, asked through the API server."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field

from tests.e2e.given import Cluster
from tests.e2e.waiting import NotYet, until

LOAD_NAMESPACE = "e2e-load"
PORT = 8000


@dataclass(frozen=True)
class Counts:
    """What callers saw in a span.

    Attributes:
        answered: by version and digest.
        failed: by status or kind of the connection's error.
        slow: took longer than a second.
    """

    sent: int
    answered: Mapping[tuple[str, str], int]
    failed: Mapping[str, int]
    slow: int

    @property
    def n_failed(self) -> int:
        """All of them."""
        return sum(self.failed.values())

    def of(self, digest: str) -> int:
        """Answered by a digest."""
        return sum(count for (_, found), count in self.answered.items() if found == digest)

    def __str__(self) -> str:
        told = ", ".join(f"{count} by {version} {digest[7:15]}" for (version, digest), count in self.answered.items())
        failed = ", ".join(f"{count} {why}" for why, count in self.failed.items()) or "0"
        return f"{self.sent} sent; answered: {told or 'none'}; failed: {failed}"


@dataclass
class Traffic:
    """The traffic of one model.

    Attributes:
        seconds: by second since it began, what was counted there.
    """

    cluster: Cluster
    name: str
    started: float = 0.0
    seconds: dict[int, Counter[str]] = field(default_factory=dict)
    _now: int = 0

    def mark(self) -> int:
        """This second; counts are taken from it on."""
        self._read()
        return self._now

    def counts(self, since: int = 0, until: int | None = None) -> Counts:
        """What was seen in the seconds from `since` to now, or to before `until`, once nothing of it is in flight."""
        end = self.mark() if until is None else until
        total: Counter[str] = Counter()
        for second, found in self.seconds.items():
            if since <= second < end:
                total += found
        answered, failed = {}, {}
        for key, count in total.items():
            how, _, what = key.partition(" ")
            if how == "answered":
                version, digest = what.split(" ")
                answered[version, digest] = count
            elif how == "failed":
                failed[what] = count
        return Counts(total["sent"], answered, failed, total["slow"])

    def last_second_of(self, digest: str) -> int:
        """The last second in which a digest answered; -1 where none did."""
        self._read()
        found = [at for at, counts in self.seconds.items() if any(key.endswith(f" {digest}") for key in counts)]
        return max(found, default=-1)

    def rid_of(self, digest: str) -> int:
        """Waits until a digest has not answered for some seconds: what drains answers who kept a connection.

        Returns:
            the last second in which it did.
        """

        def look() -> int:
            last = self.last_second_of(digest)
            if self.mark() < last + 4:
                raise NotYet("it still answers")
            return last

        return until(f"callers are rid of {digest[7:15]}", look, seconds=45)

    def at(self, second: int) -> float:
        """A second of this traffic, in seconds since 1970."""
        return self.started + second

    def rate(self, per_second: float) -> None:
        """From now on so many; 0 pauses."""
        self.cluster.call(LOAD_NAMESPACE, self._pod, "rate", query={"value": f"{per_second:g}"})

    def settle(self) -> Counts:
        """Waits until a span's last requests have ended; all counts."""
        end = self.mark() + 1

        def look() -> Counts:
            self._read()
            found = self.counts(0, end)
            open_now = found.sent - sum(found.answered.values()) - found.n_failed
            if self._now <= end or open_now:
                raise NotYet(f"{open_now} in flight")
            return found

        return until(f"{self.name}: the last requests end", look, seconds=15)

    @property
    def _pod(self) -> str:
        return f"pods/{self.name}:{PORT}"

    def _read(self) -> None:
        since = max(0, self._now - 10)
        told = self.cluster.call(LOAD_NAMESPACE, self._pod, "counts", query={"since": str(since)})
        if self.started and abs(told["started"] - self.started) > 1:
            raise AssertionError(f"{self.name}: the callers' pod was started anew, its counts are lost")
        self.started, self._now = told["started"], told["second"]
        self.seconds |= {int(second): Counter(found) for second, found in told["counts"].items()}
