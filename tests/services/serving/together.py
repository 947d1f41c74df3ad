"""A server of two models, in process: `house`, a regression, and `flat`, a classification of three numbers."""

import dataclasses
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

from models.feature import Feature
from models.store import write_bytes
from services.serving.app import create
from services.serving.beside import ByField, Pin
from services.serving.member import Member, member
from services.serving.settings import Settings
from services.serving.several import Several
from tests.services.serving.conftest import Made, make_bundle

FLAT_FEATURES = (
    Feature(name="area", dtype="float", unit="m2", min=5.0, max=1000.0),
    Feature(name="floor", dtype="integer", min=0.0, max=90.0, out_of_range="refuse"),
    Feature(name="lift", dtype="integer", min=0.0, max=1.0, out_of_range="refuse"),
)
FLAT_ROW: dict[str, Any] = {"area": 80.25, "floor": 4, "lift": 1}
BY_KIND = ByField("kind", {"detached": "house", "attic": "flat"})


@dataclass(frozen=True)
class Two:
    """A server whose members are loaded as far as they can be."""

    client: TestClient
    house: Member
    flat: Member


def make_flat(root: Path) -> Made:
    return make_bundle(root, task="classification", features=FLAT_FEATURES, row=FLAT_ROW, model="flat")


def pinned(house: Made, flat: Made, **changes: Any) -> Settings:
    """Settings of a server with both."""
    own = flat.settings
    pin = Pin(own.model, own.version, own.uri, own.digest)
    return dataclasses.replace(house.settings, beside=(pin,), **changes)


def serve(settings: Settings, log: Path | None = None, write: Callable[[str, bytes], object] = write_bytes) -> Two:
    """The server, as `server.run` puts it together."""
    if log is not None:
        settings = dataclasses.replace(settings, capture_uri=log.as_uri(), capture_flush_seconds=3600.0)
    house = member(settings, sharing=2)
    flat = member(settings.of(settings.beside[0]), main=house.state, sharing=2)
    apps = {each.state.name: create(each.state, capture=each.capture, feedback=each.feedback) for each in (house, flat)}
    for each in (house, flat):
        each.load_weighed()
    return Two(TestClient(Several(house.state, apps), raise_server_exceptions=False), house, flat)
