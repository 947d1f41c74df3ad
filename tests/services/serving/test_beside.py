"""The variables that put models beside the main one, and rows to them."""

import json
from pathlib import Path

import pytest

from models.errors import ConfigError
from services.serving.beside import ByField, Pin
from services.serving.settings import Settings, read

DIGEST = f"sha256:{'a' * 64}"
MAIN = {
    "MAINLINE_MODEL": "house",
    "MAINLINE_MODEL_VERSION": "7",
    "MAINLINE_BUNDLE_URI": "s3://bundles/house/7",
    "MAINLINE_BUNDLE_DIGEST": DIGEST,
}
FLAT = {"MAINLINE_BESIDE_FLAT": f"3 s3://bundles/flat/3 {DIGEST}"}
ROUTE = json.dumps({"kind": {"detached": "house", "attic": "flat"}})


def problems(**more: str) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        read(MAIN | more)
    return list(caught.value.problems)


def test_a_server_of_one_model_has_none_beside_it() -> None:
    settings = read(MAIN)
    assert (settings.beside, settings.route) == ((), None)


def test_models_and_route_are_read() -> None:
    settings = read(MAIN | FLAT | {"MAINLINE_ROUTE": ROUTE})
    pin = Pin("flat", "3", "s3://bundles/flat/3", DIGEST)
    assert settings.beside == (pin,)
    assert settings.route == ByField("kind", {"detached": "house", "attic": "flat"})


def test_a_model_beside_has_the_servers_settings_and_its_own_release() -> None:
    settings = read(
        MAIN | FLAT | {"MAINLINE_ROUTE": ROUTE, "MAINLINE_REQUEST_SECONDS": "2", "MAINLINE_CACHE_DIR": "/c"}
    )
    (pin,) = settings.beside
    assert settings.of(pin) == Settings(
        model="flat", version="3", uri=pin.uri, digest=DIGEST, cache=Path("/c"), request_seconds=2.0
    )


@pytest.mark.parametrize(
    ("value", "said"),
    [
        ("0 unreleased unreleased", "nothing is released here"),
        ("3 s3://bundles/flat/3", "got 2 words, must be version, address, digest"),
        (f"x s3://bundles/flat/3 {DIGEST}", "version: got 'x', must be the registry's version"),
        (f"3 bundles/flat/3 {DIGEST}", "address: got 'bundles/flat/3', must be a folder at"),
        ("3 s3://bundles/flat/3 sha256:abc", "digest: got 'sha256:abc', must be sha256: and 64"),
    ],
)
def test_what_is_no_release_is_refused(value: str, said: str) -> None:
    (problem,) = problems(MAINLINE_BESIDE_FLAT=value)
    assert problem.startswith("environment: MAINLINE_BESIDE_FLAT: ")
    assert said in problem


def test_the_main_model_does_not_stand_beside_itself() -> None:
    (problem,) = problems(MAINLINE_BESIDE_HOUSE=f"3 s3://bundles/flat/3 {DIGEST}")
    assert "house is the main model" in problem


@pytest.mark.parametrize("name", ["MAINLINE_BESIDE_", "MAINLINE_BESIDE_flat", "MAINLINE_BESIDE_MY_FLAT"])
def test_a_variable_that_names_no_model_is_refused(name: str) -> None:
    (problem,) = problems(**{name: FLAT["MAINLINE_BESIDE_FLAT"]})
    assert "must end with a model's name in capitals" in problem


@pytest.mark.parametrize(
    ("route", "said"),
    [
        ("kind=house", "is not JSON"),
        ("[]", "must be one field"),
        ("{}", "must be one field"),
        ('{"kind": {}}', "must be one field"),
        ('{"kind": {"attic": 1}}', "must be one field"),
        ('{"kind": {"attic": "flat"}, "size": {"big": "house"}}', "must be one field"),
        ('{"kind": {"attic": "flats"}}', "'attic': got 'flats', which this server has not; did you mean \"flat\"?"),
    ],
)
def test_a_route_that_leads_nowhere_is_refused(route: str, said: str) -> None:
    (problem,) = problems(**FLAT, MAINLINE_ROUTE=route)
    assert problem.startswith("environment: MAINLINE_ROUTE: ")
    assert said in problem
