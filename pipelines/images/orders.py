"""The images, and what a builder is told of each: its Dockerfile, its bases by digest, its labels, its secrets."""

import os
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.declaration import did_you_mean
from models.errors import ConfigError
from pipelines.images import registries
from pipelines.images.builder import Order
from pipelines.images.revision import DIRTY, committed, revision, source_url
from pipelines.jsonfile import read_json

ROOT = Path(__file__).resolve().parents[2]
BASES = Path("build/cluster/bases.json")

_BY_DIGEST = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]*@sha256:[0-9a-f]{64}")
_REMEDIES = {
    "python": "PYTHON_IMAGE: {got}, must be an image of Debian or Ubuntu with Python 3.11 to 3.14, by digest, such as "
    "docker.io/library/python:3.13-slim@sha256:<64 hex>; `docker buildx imagetools inspect "
    "docker.io/library/python:3.13-slim` prints the digest",
    "uv": "UV_IMAGE: {got}, must be an image that holds /uv, by digest, such as "
    "ghcr.io/astral-sh/uv:0.9@sha256:<64 hex>; `docker buildx imagetools inspect ghcr.io/astral-sh/uv:0.9` prints it",
}


@dataclass(frozen=True)
class Image:
    """One image: its Dockerfile and the stage of it."""

    name: str
    dockerfile: str
    target: str = ""
    on_request: bool = False
    needs_kustomize: bool = False


IMAGES = (
    Image("serving", "services/serving/Dockerfile"),
    Image("judge", "services/drift/Dockerfile"),
    Image("trainer", "pipelines/Dockerfile", target="trainer", needs_kustomize=True),
    Image("mlflow", "manifests/platform/mlflow/Dockerfile"),
    Image("trainer-gpu", "pipelines/Dockerfile", target="trainer-gpu", on_request=True, needs_kustomize=True),
)


def named(only: Collection[str] | None) -> list[Image]:
    """The images of these names; None for all but those that are built on request.

    Raises:
        ConfigError: a name is none of an image.
    """
    if only is None:
        return [image for image in IMAGES if not image.on_request]
    names = [image.name for image in IMAGES]
    unknown = [name for name in only if name not in names]
    if unknown:
        hints = {name: did_you_mean(name, names) for name in unknown}
        rule = f"must be among {', '.join(names)}"
        raise ConfigError(
            [f"images: got {name!r}, {rule}{', ' + hint if hint else ''}" for name, hint in hints.items()]
        )
    return [image for image in IMAGES if image.name in only]


def read_bases(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The base images: PYTHON_IMAGE and UV_IMAGE of the environment, else what the cluster's provider has made."""
    made = read_json(root / BASES) if (root / BASES).exists() else {}
    stated = {"python": environment.get("PYTHON_IMAGE", ""), "uv": environment.get("UV_IMAGE", "")}
    return {name: stated[name] or str(made.get(name, "")) for name in stated}


def base_problems(bases: Mapping[str, str]) -> list[str]:
    """What is wrong with the base images, one line each."""
    return [
        f"images: {remedy.format(got=f'got {bases[name]!r}' if bases.get(name) else 'is not set')}"
        for name, remedy in _REMEDIES.items()
        if not _BY_DIGEST.fullmatch(bases.get(name, ""))
    ]


def order_of(
    root: Path,
    image: Image,
    repository: str,
    bases: Mapping[str, str],
    secrets: Mapping[str, Path],
    *,
    plain_http: bool,
) -> Order:
    """What a builder is told.

    Args:
        root: the checkout.
        image: which.
        repository: what it is called before the colon; its commit follows.
        bases: `python` and `uv`, by digest.
        secrets: files by the id that the Dockerfile mounts them under.
        plain_http: whether bases at loopback and private addresses may be fetched without TLS.
    """
    commit = revision(root, image.dockerfile)
    labels = {
        "org.opencontainers.image.title": f"mainline-{image.name}",
        "org.opencontainers.image.base.name": bases["python"],
        **({"org.opencontainers.image.revision": commit} if commit else {}),
        **({"org.opencontainers.image.created": at} if (at := committed(root, commit)) else {}),
        **({"org.opencontainers.image.source": url} if (url := source_url(root)) else {}),
    }
    return Order(
        tag=f"{repository}:{commit[:12] or 'unknown'}{DIRTY if commit.endswith(DIRTY) else ''}",
        dockerfile=image.dockerfile,
        target=image.target,
        arguments={"PYTHON_IMAGE": bases["python"], "UV_IMAGE": bases["uv"]},
        labels=labels,
        secrets=secrets,
        plain_http=plain_http and all(registries.is_near(registries.host_of(base)) for base in bases.values()),
    )
