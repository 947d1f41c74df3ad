"""What the network of this machine asks for reaches a build as secrets, and only where it is set."""

import subprocess
from pathlib import Path

import pytest

from models.errors import ConfigError
from pipelines.images.surroundings import secrets


def test_nothing_is_passed_where_nothing_is_set(tmp_path: Path) -> None:
    assert secrets({"PATH": "/bin", "UV_CACHE_DIR": "/x", "PIP_INDEX_URL": ""}, tmp_path) == {}
    assert list(tmp_path.iterdir()) == []


def test_indexes_and_a_ca_file_are_passed_as_a_shell_reads_them(tmp_path: Path) -> None:
    (tmp_path / "mine.crt").write_text("certificates")
    environment = {
        "PIP_INDEX_URL": "https://u:p'q@index.example.org/simple",
        "UV_INDEX": "https://a https://b",
        "PIP_EXTRA_INDEX_URL": "https://c",
        "REQUESTS_CA_BUNDLE": str(tmp_path / "mine.crt"),
    }
    made = secrets(environment, tmp_path)
    assert set(made) == {"ca", "environment"}
    assert made["ca"].read_text() == "certificates"
    assert made["environment"].stat().st_mode & 0o777 == 0o600
    said = subprocess.run(
        ["sh", "-c", '. "$0" && env', str(made["environment"])], env={}, capture_output=True, text=True, check=True
    ).stdout.splitlines()
    assert "UV_DEFAULT_INDEX=https://u:p'q@index.example.org/simple" in said
    assert "UV_INDEX=https://a https://b" in said
    assert "SSL_CERT_FILE=/run/secrets/ca.crt" in said


def test_ca_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="SSL_CERT_FILE: got /nowhere, must be a file of certificates"):
        secrets({"SSL_CERT_FILE": "/nowhere"}, tmp_path)
