"""Plain http is for registries that are near, and nobody else."""

import pytest

from pipelines.images.registries import host_of, problems


@pytest.mark.parametrize("registry", ["127.0.0.1:5000", "10.90.0.1:5000/mainline", "localhost:5000", "192.168.1.7"])
def test_near_registry_may_be_spoken_to_in_plain_http(registry: str) -> None:
    assert problems(registry, plain_http=True) == []


@pytest.mark.parametrize("registry", ["8.8.8.8:5000", "nowhere.invalid"])
def test_far_registry_may_not(registry: str) -> None:
    (problem,) = problems(registry, plain_http=True)
    assert "loopback and private addresses only" in problem
    assert problems(registry, plain_http=False) == []


@pytest.mark.parametrize("registry", ["", "https://ghcr.io/you", "ghcr.io/You Me", "ghcr.io/"])
def test_address_that_is_none(registry: str) -> None:
    assert "must be host[:port][/path]" in problems(registry, plain_http=False)[0]


def test_reference_without_a_host_is_of_docker_hub() -> None:
    assert [host_of(name) for name in ("library/python@sha256:1", "a.b/c", "localhost/c", "h:5000/x")] == [
        "docker.io",
        "a.b",
        "localhost",
        "h:5000",
    ]
