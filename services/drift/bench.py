"""The bench: one judgement at a time, within a time; whatever goes wrong in it is an inconclusive judgement.

A judgement runs in a thread of its own, so that the process answers probes meanwhile, and one that hangs can be left
behind. Until it ends the bench is taken: two judgements at once would need twice the memory.
"""

import asyncio
import threading
import time
from collections.abc import Callable

from services.drift.judgement import Judgement, undecided
from services.drift.metrics import Metrics
from services.drift.requests import JudgeRequest
from services.logs import log

Assess = Callable[[JudgeRequest], Judgement]
# Argo asks for a handful of rollouts at a time; more that wait would only time out later.
MAX_WAITING = 16


class Bench:
    """Judges requests, one after the other."""

    def __init__(self, assess: Assess, metrics: Metrics, *, judge_seconds: float, wait_seconds: float) -> None:
        self._assess = assess
        self._metrics = metrics
        self._judge_seconds = judge_seconds
        self._wait_seconds = wait_seconds
        self._taken = asyncio.Lock()
        self._waiting = 0
        self._since = 0.0

    @property
    def stuck(self) -> bool:
        """Whether a judgement runs that was given up long ago: only a new process helps."""
        return self._taken.locked() and time.monotonic() - self._since > 4 * self._judge_seconds

    async def judge(self, request: JudgeRequest) -> Judgement:
        """A judgement, inconclusive where none can be made. Raises nothing."""
        if self._waiting >= MAX_WAITING or not await self._take():
            running = time.monotonic() - self._since
            return undecided(
                f"the judge is busy: another judgement has run for {running:.1f} s and {self._waiting} wait; "
                "it is asked again at the next interval"
            )
        # Shielded: a caller that goes away must not give the bench free while its judgement still runs.
        return await asyncio.shield(self._hear(request))

    async def _take(self) -> bool:
        self._waiting += 1
        try:
            async with asyncio.timeout(self._wait_seconds):
                await self._taken.acquire()
        except TimeoutError:
            return False
        finally:
            self._waiting -= 1
        self._since = time.monotonic()
        self._metrics.busy.set(1)
        return True

    async def _hear(self, request: JudgeRequest) -> Judgement:
        loop = asyncio.get_running_loop()
        heard: asyncio.Future[Judgement] = loop.create_future()

        def tell(judgement: Judgement) -> None:
            self._metrics.busy.set(0)
            self._taken.release()
            if not heard.done():
                heard.set_result(judgement)

        def run() -> None:
            judgement = self._guarded(request)
            if not loop.is_closed():
                loop.call_soon_threadsafe(tell, judgement)

        # A daemon: a store that hangs must not keep a process that was told to end.
        threading.Thread(target=run, name="judgement", daemon=True).start()
        done, _ = await asyncio.wait({heard}, timeout=self._judge_seconds)
        if not done:
            self._metrics.failed.inc()
            log.error("judgement given up", extra={"check": request.check, "seconds": self._judge_seconds})
            heard.set_result(undecided(f"judging took over {self._judge_seconds:g} s and was given up; {_REMEDY}"))
        return heard.result()

    def _guarded(self, request: JudgeRequest) -> Judgement:
        try:
            return self._assess(request)
        except BaseException as err:  # noqa: BLE001  (a panic in a native library is no Exception)
            self._metrics.failed.inc()
            log.error("judgement failed", exc_info=True, extra={"check": request.check})
            return undecided(f"the judge failed inside: {type(err).__name__}: {_brief(err)}; {_REMEDY}")


_REMEDY = "see the judge's log"


def _brief(err: BaseException) -> str:
    """The message's first line; an exception that cannot be shown is an exception all the same."""
    try:
        return (str(err).splitlines() or ["no message"])[0][:300]
    except Exception:  # noqa: BLE001
        return "no message"
