"""From settings to a model that may answer: fetched, every hash checked, loaded, golden rows predicted."""

import time
from dataclasses import dataclass

from models.bundle import Bundle, Digest
from models.errors import MainlineError
from models.predictor import Predictor
from models.store import fetch
from services.serving.settings import Settings


class WrongModel(MainlineError):  # noqa: N818  (what happened)
    """The bundle at the address is a different model's."""


@dataclass(frozen=True)
class Served:
    """The one model that this process answers with.

    Attributes:
        load_seconds: time to fetch, verify, load and self-test it.
    """

    bundle: Bundle
    predictor: Predictor
    load_seconds: float

    @property
    def feature_names(self) -> tuple[str, ...]:
        """Names of the features in the order of the graph's columns."""
        return tuple(feature.name for feature in self.bundle.features)


def load(settings: Settings) -> Served:
    """The model that the settings name, verified and self-tested.

    Raises:
        MainlineError: the bundle cannot be had, has another digest, is another model's, or fails its golden rows.
    """
    begun = time.monotonic()
    bundle = fetch(settings.uri, settings.cache / settings.digest.removeprefix("sha256:"), Digest(settings.digest))
    if bundle.manifest.model != settings.model:
        raise WrongModel(
            f"{settings.uri}: holds model {bundle.manifest.model!r}, MAINLINE_MODEL is {settings.model!r}: "
            "the release must name the bundle of its own model; promote again"
        )
    predictor = Predictor(bundle)
    predictor.self_test()
    return Served(bundle, predictor, time.monotonic() - begun)
