"""Whatever is wrong with images that are to be pushed is said before anything is built."""

import pytest

from models.errors import ConfigError
from pipelines.cluster.images import build_all

BASES = {name: f"registry.example.org/{name}@sha256:{'a' * 64}" for name in ("python", "uv")}


def test_every_problem_is_told_before_anything_is_built() -> None:
    with pytest.raises(ConfigError) as refused:
        build_all("http://example.org", {"python": "python:3.13"})
    python, uv, registry = refused.value.problems
    assert "PYTHON_IMAGE: got 'python:3.13', must be an image of Debian or Ubuntu" in python
    assert "UV_IMAGE: is not set, must be an image that holds /uv" in uv
    assert "registry: got 'http://example.org', must be host[:port][/path]" in registry
    with pytest.raises(ConfigError, match=r"got 'trainr'.*did you mean \"trainer\""):
        build_all("127.0.0.1:1", BASES, ["trainr"])
