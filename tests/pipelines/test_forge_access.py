"""The forge's account: whole or refused, and shown to the forge's own host alone."""

import base64
import subprocess
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.forge_access import access, git_environment

ENVIRON = {
    "MAINLINE_FORGE_API": "http://forge:3000/api/v1/",
    "MAINLINE_FORGE_USERNAME": "robot",
    "MAINLINE_FORGE_TOKEN": "t0k3n",
}


def test_account_is_what_the_environment_says() -> None:
    found = access(ENVIRON)
    assert found is not None
    assert (found.api, found.username, found.token) == ("http://forge:3000/api/v1", "robot", "t0k3n")
    assert "t0k3n" not in repr(found)
    assert access({}) is None


@pytest.mark.parametrize("missing", ["MAINLINE_FORGE_USERNAME", "MAINLINE_FORGE_TOKEN"])
def test_half_an_account_is_refused(missing: str) -> None:
    with pytest.raises(ConfigError, match=missing):
        access({**ENVIRON, missing: ""})


def test_git_shows_the_token_to_the_forges_host_alone(tmp_path: Path) -> None:
    environment = git_environment("http://someone@forge:3000/mainline/mainline.git", ENVIRON)

    def header(url: str) -> str:
        command = ["git", "config", "--get-urlmatch", "http.extraHeader", url]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path, env=environment)
        return done.stdout.strip()

    expected = base64.b64encode(b"robot:t0k3n").decode()
    assert header("http://forge:3000/mainline/mainline.git") == f"Authorization: Basic {expected}"
    for other in ("http://forge:3001/mainline.git", "https://forge:3000/m.git", "http://forge.example.org:3000/m.git"):
        assert header(other) == "", other


@pytest.mark.parametrize("remote", ["/srv/mainline.git", "git@forge:mainline.git", "ssh://forge/mainline.git"])
def test_other_ways_to_a_repository_get_no_token(remote: str) -> None:
    assert git_environment(remote, ENVIRON) == {}
    assert git_environment("http://forge/m.git", {}) == {}
