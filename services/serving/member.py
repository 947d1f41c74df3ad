"""One model of a server, with what is its own: state, metrics, capture log, feedback; and how it comes to answer.

A server of one model has one member. In a server of several each is loaded and verified by itself, one after another:
what fails is said by /ready, and the others answer.
"""

import gc
import os
import random
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from models.errors import MainlineError
from models.store import write_bytes
from services.logs import identity, log
from services.serving.capture import Capture
from services.serving.feedback import Feedback
from services.serving.loader import Served, load
from services.serving.metrics import Metrics
from services.serving.settings import Settings
from services.serving.state import State


@dataclass(frozen=True)
class Member:
    """A model's own; `capture` and `feedback` are None where nothing is captured."""

    state: State
    capture: Capture | None
    feedback: Feedback | None

    def load(self, opened: Callable[[Served], object] = lambda served: None) -> bool:
        """Loads the model, so that it answers, or says in its state why not. Returns whether it answers.

        Args:
            opened: told of the model once the state has it.
        """
        state = self.state
        identity.set(state.settings.identity)
        log.info("loading", extra={"uri": state.settings.uri})
        try:
            served = load(state.settings)
        except Exception as err:  # noqa: BLE001  (see below)
            # Not only our own errors: a store or the runtime may fail in ways of their own, and none may leave the
            # process listening for ever without a model.
            state.failure = str(err) if isinstance(err, MainlineError) else f"{type(err).__name__}: {err}"
            log.error("the bundle was refused", extra={"reason": state.failure, "uri": state.settings.uri})
            return False
        state.metrics.load_seconds.set(served.load_seconds)
        if self.capture is not None:
            self.capture.start(feature.name for feature in served.bundle.features if feature.sensitive)
        if self.feedback is not None:
            self.feedback.start(served.bundle.manifest)
        gc.collect()
        gc.freeze()  # the model and the application live as long as the process: collections need not walk them
        state.served = served
        opened(served)
        log.info("ready", extra={"load_seconds": round(served.load_seconds, 4), "task": served.bundle.manifest.task})
        return True

    def load_weighed(self, opened: Callable[[Served], object] = lambda served: None) -> bool:
        """As `load`, and measures by how much the process grew meanwhile: the model's memory, roughly.

        What the allocator had free already is not seen, and what others took meanwhile is: good to some MB. The first
        model pays for what the runtime takes once.
        """
        before = resident_bytes()
        loaded = self.load(opened)
        if loaded:
            self.state.memory_bytes = max(0, resident_bytes() - before)
            self.state.metrics.show_memory(self.state.memory_bytes)
        return loaded


def member(settings: Settings, *, main: State | None = None, sharing: int = 1) -> Member:
    """A model that is not loaded yet.

    Args:
        main: the state of the server's main model, where this one stands beside it.
        sharing: models of the server.
    """
    metrics = Metrics(model=settings.model, version=settings.version, digest=settings.digest, beside=main is not None)
    state = State(settings, metrics)
    if main is not None:
        main.add(state)
    if not settings.capture_uri:
        return Member(state, None, None)
    rng = random.Random()  # noqa: S311  (a sample, no secret)
    capture = Capture(settings, metrics, write=write_bytes, rng=rng, sharing=sharing)
    return Member(state, capture, Feedback(settings, metrics, write=write_bytes))


def resident_bytes() -> int:
    """Memory of this process that lies in RAM; 0 where the system does not say."""
    statm = Path("/proc/self/statm")
    return int(statm.read_text(encoding="ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE") if statm.exists() else 0
