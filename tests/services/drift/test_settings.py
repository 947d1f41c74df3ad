"""Bad configuration is told in full, before anything starts."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from models.errors import ConfigError
from services.drift.settings import read

GOOD = {"MAINLINE_CAPTURE_URI": "s3://log/{environment}", "MAINLINE_BUNDLE_STORES": "s3://models/a  file:///b"}


def test_defaults_stand_where_nothing_is_stated() -> None:
    settings = read(GOOD | {"MAINLINE_REPORTS_DIR": "/reports", "MAINLINE_PORT": ""})
    assert settings.bundle_stores == ("s3://models/a", "file:///b")
    assert settings.replay_hosts == ("*.svc", "*.svc.cluster.local")
    assert (settings.reports, settings.port) == (Path("/reports"), 8080)
    assert settings.judge_seconds + settings.wait_seconds + settings.body_seconds < 30  # Argo's timeoutSeconds


BAD = {
    "MAINLINE_CAPTURE_URI": ("s3://log/{model}", "/{environment} at most"),
    "MAINLINE_BUNDLE_STORES": ("s3://a /b", "one or more folders"),
    "MAINLINE_REPLAY_HOSTS": ("*.svc, [a]", "one or more hosts"),
    "MAINLINE_PORT": ("-1", "a whole number from 0 to 65535"),
    "MAINLINE_LOG_LEVEL": ("loud", "one of"),
    "MAINLINE_MAX_REPORTS": ("0", "from 1 to 10000"),
    "MAINLINE_JUDGE_SECONDS": ("nan", "a number from 0.1"),
    "MAINLINE_WAIT_SECONDS": ("ten", "a number from 0"),
    "MAINLINE_BODY_SECONDS": ("0", "a number from 0.1"),
}


@pytest.mark.parametrize(("name", "value", "rule"), [(name, *case) for name, case in BAD.items()], ids=BAD)
def test_value_is_refused_with_its_rule(name: str, value: str, rule: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(GOOD | {name: value})
    assert len(caught.value.problems) == 1
    assert caught.value.problems[0].startswith(f"environment: {name}: got {value!r}")
    assert rule in caught.value.problems[0]


def test_bad_configuration_ends_with_2_and_one_line_a_problem() -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("MAINLINE_")}
    done = subprocess.run(
        [sys.executable, "-m", "services.drift"],
        env=kept | {"MAINLINE_BUNDLE_STORE": "s3://a"},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )
    assert (done.returncode, done.stdout) == (2, "")
    assert [line.split(": ")[1] for line in done.stderr.splitlines()] == [
        "MAINLINE_BUNDLE_STORES",
        "MAINLINE_CAPTURE_URI",
    ]
    assert "did you mean MAINLINE_BUNDLE_STORES" in done.stderr
