"""Bad configuration is told in full, before anything starts."""

from pathlib import Path

import pytest

from models.errors import ConfigError
from services.serving.settings import Settings, read

GOOD = {
    "MAINLINE_MODEL": "iris",
    "MAINLINE_MODEL_VERSION": "3",
    "MAINLINE_BUNDLE_URI": "s3://models/iris/3",
    "MAINLINE_BUNDLE_DIGEST": "sha256:" + "a" * 64,
}


def test_defaults_stand_where_nothing_is_stated() -> None:
    settings = read(GOOD | {"MAINLINE_CAPTURE_URI": "", "MAINLINE_CACHE_DIR": "/var/cache/mainline"})
    assert settings == Settings(
        "iris", "3", GOOD["MAINLINE_BUNDLE_URI"], GOOD["MAINLINE_BUNDLE_DIGEST"], Path("/var/cache/mainline")
    )
    assert settings.port == 8080


BAD = {
    "MAINLINE_MODEL": ("Iris", "lower-case"),
    "MAINLINE_MODEL_VERSION": ("latest", "such as 3"),
    "MAINLINE_BUNDLE_URI": ("/tmp/bundle", "file://"),
    "MAINLINE_BUNDLE_DIGEST": ("unreleased", "nothing is released"),
    "MAINLINE_PORT": ("http", "a whole number from 0 to 65535"),
    "MAINLINE_LOG_LEVEL": ("inf", "did you mean 'INFO'?"),
    "MAINLINE_DRAIN_SECONDS": ("nan", "a number from 0 to 600"),
    "MAINLINE_QUIET_SECONDS": ("0", "a number from 0.1 to 60"),
    "MAINLINE_REQUEST_SECONDS": ("0", "a number from 0.1 to 3600"),
    "MAINLINE_CAPTURE_SAMPLE": ("1.5", "a number from 0 to 1"),
    "MAINLINE_CAPTURE_FLUSH_SECONDS": ("0", "a number from 0.1 to 3600"),
    "MAINLINE_CAPTURE_URI": ("ftp://x/y", "a folder at"),
}


@pytest.mark.parametrize(("name", "value", "rule"), [(name, *case) for name, case in BAD.items()], ids=BAD)
def test_value_is_refused_with_its_rule(name: str, value: str, rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(GOOD | {name: value})
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"environment: {name}: got {value!r}")
    assert rule in caught.value.problems[0]


def test_all_problems_are_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        read({name: value for name, (value, _) in BAD.items()})
    assert len(caught.value.problems) == len(BAD)


def test_mistyped_name_is_guessed() -> None:
    with pytest.raises(ConfigError, match="MAINLINE_BUNDEL_URI is set: did you mean MAINLINE_BUNDLE_URI"):
        read({name.replace("BUNDLE_URI", "BUNDEL_URI"): value for name, value in GOOD.items()})
