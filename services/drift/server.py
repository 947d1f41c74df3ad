"""The process around the judge's routes: its bench, its shelf, an orderly end."""

from datetime import UTC, datetime
from types import FrameType

import uvicorn

from services.drift.app import create
from services.drift.assess import assess
from services.drift.bench import Bench
from services.drift.judgement import Judgement
from services.drift.looks import Looks
from services.drift.metrics import Metrics
from services.drift.requests import JudgeRequest
from services.drift.settings import ENVIRONMENT, Settings
from services.drift.shelf import Shelf
from services.drift.sources import Sources
from services.drift.store_state import StoreState
from services.logs import configure, log


class Server(uvicorn.Server):
    """Uvicorn that ends with `run` returning: its own handler would raise the signal again."""

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Closes the socket; what was accepted is still answered."""
        self.should_exit = True


def run(settings: Settings) -> int:
    """Serves until told to end. Returns the exit code."""
    configure(settings.log_level, {"service": "judge"})
    metrics = Metrics()
    sources = Sources(settings.capture_uri, settings.bundle_stores, settings.cache, settings.replay_hosts)

    looks = Looks()

    def judge(request: JudgeRequest) -> Judgement:
        now = datetime.now(UTC)
        return looks.settled(request, assess(request, sources.of(request.environment), now=now), now=now)

    bench = Bench(judge, metrics, judge_seconds=settings.judge_seconds, wait_seconds=settings.wait_seconds)
    shelf = Shelf(settings.reports, max_reports=settings.max_reports)
    state = StoreState(settings.capture_uri.removesuffix(ENVIRONMENT))
    app = create(bench, shelf, metrics, store_state=state.told, body_seconds=settings.body_seconds)
    log.info("ready", extra={"capture_log": settings.capture_uri, "reports": str(settings.reports)})
    Server(
        uvicorn.Config(
            app,
            host=settings.host,
            port=settings.port,
            log_config=None,
            access_log=False,
            server_header=False,
            proxy_headers=False,
            # Whole seconds in uvicorn's signature. What waits and what runs may end.
            timeout_graceful_shutdown=max(1, round(settings.judge_seconds + settings.wait_seconds)),
        )
    ).run()
    log.info("ended")
    return 0
