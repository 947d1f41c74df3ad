"""One metric of an AnalysisTemplate with its arguments resolved: what is asked, of whom, how often, and when it ends.

`template` makes it from YAML; `analysis` keeps its books; a World measures it.
"""

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Prometheus:
    """A PromQL instant query. A vector is judged as its values in order, a scalar as one number."""

    address: str
    query: str
    timeout_seconds: float = 30.0
    headers: tuple[tuple[str, str], ...] = ()
    insecure: bool = False


@dataclass(frozen=True, kw_only=True)
class Web:
    """An HTTP call whose JSON answer is judged at `json_path`.

    `body` is the request's text, None without one; `headers` hold the content type where the body was `jsonBody`.
    """

    url: str
    method: str = "GET"
    headers: tuple[tuple[str, str], ...] = ()
    body: str | None = None
    json_path: str = "{$}"
    timeout_seconds: float = 10.0
    insecure: bool = False


@dataclass(frozen=True, kw_only=True)
class Metric:
    """A metric with nothing left to resolve; durations in seconds.

    `count` None with an interval runs until the analysis ends. `failure_limit` -1 is disabled, and
    `consecutive_success_limit` 0 is. A dry-run metric is measured and decides nothing.
    """

    name: str
    template: str
    provider: Prometheus | Web
    success_condition: str = ""
    failure_condition: str = ""
    initial_delay: float = 0.0
    interval: float | None = None
    count: int | None = None
    failure_limit: int = 0
    inconclusive_limit: int = 0
    consecutive_error_limit: int = 4
    consecutive_success_limit: int = 0
    dry_run: bool = False

    @property
    def effective_count(self) -> int | None:
        """How many measurements end it: 1 where neither count nor interval is given, None for no end."""
        if self.count:
            return self.count
        return 1 if self.interval is None else None
