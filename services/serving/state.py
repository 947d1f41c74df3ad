"""Whether a model may answer, and with what. Written by startup and by the signal handler, read by the routes."""

import time
from dataclasses import dataclass, field

from services.problems import Fault, Kind, Problem
from services.serving.loader import Served
from services.serving.metrics import Metrics
from services.serving.places import Places
from services.serving.room import Room
from services.serving.settings import Settings


@dataclass
class State:
    """One model's state; every field changes at most once, `last_request` and `in_flight` apart.

    Attributes:
        served: the model, from the moment when it is verified and self-tested.
        failure: why it never will be.
        draining: the process was told to end: not ready, still answering.
        last_request: monotonic seconds of the latest request to /predict.
        in_flight: requests to /predict being handled.
        memory_bytes: what it takes, where that was measured.
        beside: of the other models of this server, in the main one's state; the latter speaks for all.
        rows: how many rows may wait or be computed off the event loop, of all models together.
        places: where rows were answered, of all models together; None where none are routed or no feedback is taken.
    """

    settings: Settings
    metrics: Metrics
    served: Served | None = None
    failure: str = ""
    draining: bool = False
    last_request: float = field(default_factory=time.monotonic)
    in_flight: int = 0
    memory_bytes: int | None = None
    beside: tuple["State", ...] = ()
    rows: Room = field(init=False)
    places: Places | None = None

    def __post_init__(self) -> None:
        settings = self.settings
        self.rows = Room(settings.queue_rows)
        if settings.route is not None and settings.capture_uri:
            self.places = Places([self.name, *(pin.model for pin in settings.beside)])
        self.metrics.in_flight.set_function(lambda: self.in_flight)

    @property
    def name(self) -> str:
        """The model's."""
        return self.settings.model

    @property
    def everyone(self) -> "tuple[State, ...]":
        """Of all models of this server, the main one first."""
        return (self, *self.beside)

    def add(self, other: "State") -> None:
        """Has another model stand beside this one."""
        other.rows, other.places = self.rows, self.places
        self.beside += (other,)

    def model(self) -> Served:
        """The model, draining or not.

        Raises:
            Problem: it is not loaded yet, or could not be.
        """
        if self.served is None:
            raise self._not_ready(
                "failed" if self.failure else "loading", self.failure or "the bundle is being verified"
            )
        return self.served

    def ready(self) -> Served:
        """The model, where new traffic may come: it has just answered a golden row.

        Raises:
            Problem: loading, failed, draining or failing now.
        """
        if self.draining:
            raise self._not_ready("draining", "the server was told to end and finishes what it accepted")
        served = self.model()
        try:
            served.predictor.try_out()
        except Exception as err:  # whatever the runtime raises
            raise self._not_ready(
                "failing", f"{self.name} gives no answer to a golden row ({type(err).__name__})"
            ) from err
        return served

    def all_ready(self) -> None:
        """Nothing, where new traffic may come for every model of this server.

        Raises:
            Problem: as `ready`; names each model that is missing where there are several.
        """
        missing = [each for each in self.beside if each.served is None]
        if not missing or self.draining:
            for each in self.everyone:
                each.ready()
            return
        missing = [each for each in self.everyone if each.served is None]
        told = [(each.name, "failed" if each.failure else "loading", each.failure) for each in missing]
        faults = [
            Fault(name, phase, "every model is verified and self-tested", f"the others answer: see /models/{name}")
            for name, phase, _ in told
        ]
        detail = "; ".join(": ".join(filter(None, (f"{name} {phase}", reason))) for name, phase, reason in told)
        raise Problem(Kind.NOT_READY, f"{detail}.", faults, {"Retry-After": "1"})

    def drain(self) -> None:
        """Asks for no more traffic: /ready is false from the next probe on. Safe in a signal handler."""
        for each in self.everyone:
            each.draining = True

    def _not_ready(self, phase: str, reason: str) -> Problem:
        fault = Fault("server", phase, "answers once its bundle is verified and self-tested", "try again in a second")
        return Problem(Kind.NOT_READY, f"{phase}: {reason}.", [fault], {"Retry-After": "1"})
