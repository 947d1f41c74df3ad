"""A model of numbers alone, whose rows fit one tensor."""

from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from models.feature import Feature
from services.serving.app import create
from tests.services.serving.conftest import Made, loaded_state, make_bundle

NUMBERS = (
    Feature(name="age", dtype="float", unit="years", min=0.0, max=120.0),
    Feature(name="rooms", dtype="integer", min=1.0, max=20.0, out_of_range="refuse"),
    Feature(name="area", dtype="float", unit="m2", min=5.0, max=1000.0, missing="allow"),
)
NUMBER_ROW: dict[str, Any] = {"age": 41.5, "rooms": 6, "area": 80.25}


@pytest.fixture(scope="session")
def numbers(tmp_path_factory: pytest.TempPathFactory) -> Made:
    return make_bundle(tmp_path_factory.mktemp("bundle"), features=NUMBERS, row=NUMBER_ROW)


@pytest.fixture
def number_client(numbers: Made) -> Iterator[TestClient]:
    with TestClient(create(loaded_state(numbers)), raise_server_exceptions=False) as made:
        yield made


@pytest.fixture
def classes_client(classification: Made) -> Iterator[TestClient]:
    with TestClient(create(loaded_state(classification)), raise_server_exceptions=False) as made:
        yield made
