"""Everything that runs beside a rehearsal, started together and ended together: servers, Prometheus and the judge."""

import time
import urllib.request
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from urllib.parse import urlsplit

from pipelines.rehearsal import judge, prometheus
from pipelines.rehearsal.child import Child, NotStarted, free_ports
from pipelines.rehearsal.metric import Metric, Prometheus
from pipelines.rehearsal.providers import measure
from pipelines.rehearsal.replay import Rows
from pipelines.rehearsal.revisions import Revision
from pipelines.rehearsal.servers import Server
from pipelines.rehearsal.traffic import Traffic
from pipelines.rehearsal.world import RealWorld, Sample

_SCRAPED_SECONDS = 20.0
_OPENER = urllib.request.build_opener(urllib.request.ProxyHandler({}))


class Scene:
    """The processes of one rehearsal; use as a context manager, `start` inside of it."""

    def __init__(self, work: Path, candidate: Revision, stable: Revision | None = None) -> None:
        self._work = work
        self._stack = ExitStack()
        self._helpers: list[Child] = []
        self.capture = work / "capture"
        self.revisions = {each.name: each for each in (stable, candidate) if each is not None}
        measuring, judging, *serving = free_ports(2 + len(self.revisions))
        self.prometheus_url, self.judge_url = f"http://127.0.0.1:{measuring}", f"http://127.0.0.1:{judging}"
        self.servers = {
            name: Server(each, work / name, port, capture=self.capture.as_uri())
            for (name, each), port in zip(self.revisions.items(), serving, strict=True)
        }

    def __enter__(self) -> "Scene":
        self._stack.__enter__()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for server in self.servers.values():
            server.tell()  # so that all drain at the same time
        self._stack.__exit__(kind, error, trace)

    @property
    def overrides(self) -> Mapping[str, str]:
        """Arguments of the templates that are addresses, by name."""
        return {
            "prometheus-address": self.prometheus_url,
            "judge-address": self.judge_url,
            "preview-address": self.servers["candidate"].url,
            "active-address": self.servers["stable"].url if "stable" in self.servers else "",
        }

    @property
    def reports(self) -> Path:
        """Where the judge keeps what it found."""
        return self._work / "judge" / "reports"

    def start_server(self, name: str) -> Server:
        """Starts `stable` or `candidate` and does not wait."""
        server = self.servers[name]
        self._stack.callback(server.stop)
        server.start()
        return server

    def start(self, root: Path) -> None:
        """Starts everything, and waits until stable, judge and Prometheus are there. The candidate is not waited for.

        Raises:
            ToolMissing: there is no Prometheus.
            NotStarted: one of them does not get ready.
        """
        self.capture.mkdir(parents=True, exist_ok=True)
        targets = {
            urlsplit(server.url).netloc: {
                "rollouts_pod_template_hash": server.revision.hash,
                "pod": f"serving-{server.revision.hash}-1",
                "container": "serving",
            }
            for server in self.servers.values()
        }
        measuring = self._child(prometheus.launch(root, self._work / "prometheus", self.prometheus_url, targets))
        stores = {each.uri.rpartition("/")[0] for each in self.revisions.values()}
        judging = self._child(
            judge.launch(self._work / "judge", self.judge_url, capture=self.capture.as_uri(), stores=stores)
        )
        for name in self.servers:
            self.start_server(name)
        self.servers["stable"].await_ready()
        prometheus.await_ready(measuring, self.prometheus_url)
        judge.await_ready(judging, self.judge_url)
        self._await_scraped(measuring)

    def world(
        self, rows: Rows, rate: float, seed: int, most_seconds: float, on_sample: Callable[[Sample], object]
    ) -> RealWorld:
        """The world that the step machine moves through; `begin` it."""
        addresses = {name: server.url for name, server in self.servers.items()}
        traffic = Traffic(rows, addresses, rate=rate, seed=seed)
        return RealWorld(self.servers, traffic, most_seconds=most_seconds, on_sample=on_sample)

    def save_reports(self, world: RealWorld, folder: Path) -> Mapping[str, str]:
        """Saves the judge's reports that gates named; the file's name, relative to `folder`'s parent, by address."""
        saved = {}
        for link in dict.fromkeys(asked.measured.link for asked in world.asked if asked.measured.link):
            try:
                with _OPENER.open(link, timeout=10) as answer:
                    page = answer.read()
            except OSError:  # a judge that was ended in between: the record has what it said
                continue
            folder.mkdir(parents=True, exist_ok=True)
            path = folder / f"{urlsplit(link).path.rpartition('/')[2]}.html"
            path.write_bytes(page)
            saved[link] = f"{folder.name}/{path.name}"
        return saved

    def gone(self) -> tuple[str, ...]:
        """What of Prometheus and the judge ended by itself, in words."""
        ended = [child for child in self._helpers if child.ended is not None]
        return tuple(f"{child.name} ended with status {child.ended} during the walk." for child in ended)

    def _child(self, child: Child) -> Child:
        self._stack.callback(child.stop)
        self._helpers.append(child)
        return child

    def _await_scraped(self, measuring: Child) -> None:
        """Returns once Prometheus has a sample of stable: it looks for targets every five seconds only."""
        query = f'up{{rollouts_pod_template_hash="{self.revisions["stable"].hash}"}} == 1'
        metric = Metric(name="up", template="", provider=Prometheus(address=self.prometheus_url, query=query))
        deadline = time.monotonic() + _SCRAPED_SECONDS
        while not measure(metric)[0].value:
            if time.monotonic() > deadline or measuring.ended is not None:
                raise NotStarted(f"Prometheus has no sample of stable after {_SCRAPED_SECONDS:g} s; {measuring.tail()}")
            time.sleep(0.2)
