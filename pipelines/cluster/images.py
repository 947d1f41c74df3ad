"""The images, built from this checkout and pushed; afterwards they are known by the digest that the push returned.

`make images` and the installer call `build_all`. Its result is also in `build/cluster/images.json`.
"""

import os
import re
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.declaration import did_you_mean
from models.errors import ConfigError
from pipelines.cluster import registries, surroundings
from pipelines.cluster.builder import Builder, Order, detect
from pipelines.cluster.kustomize_binary import put_kustomize
from pipelines.cluster.revision import DIRTY, revision, source_url
from pipelines.jsonfile import read_json, write_json

ROOT = Path(__file__).resolve().parents[2]
RESULT = Path("build/cluster/images.json")
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


@dataclass(frozen=True)
class Event:
    """How far the images are: `seconds` into `action` ("build", "push" or "done") of image `number` of `total`.

    `detail` is the builder's latest line, or the reference by digest when the image is done.
    """

    name: str
    number: int
    total: int
    action: str
    seconds: float
    detail: str


OnEvent = Callable[[Event], None]

IMAGES = (
    Image("serving", "services/serving/Dockerfile"),
    Image("judge", "services/drift/Dockerfile"),
    Image("trainer", "pipelines/Dockerfile", target="trainer", needs_kustomize=True),
    Image("mlflow", "manifests/platform/mlflow/Dockerfile"),
    Image("trainer-gpu", "pipelines/Dockerfile", target="trainer-gpu", on_request=True, needs_kustomize=True),
)


def build_all(
    registry: str,
    bases: Mapping[str, str],
    only: Collection[str] | None = None,
    on_event: OnEvent = lambda event: None,
    *,
    root: Path = ROOT,
    plain_http: bool = False,
    builder: str = "",
) -> dict[str, str]:
    """Builds images and pushes them.

    Args:
        registry: `host[:port][/path]` that they are pushed to.
        bases: `python` and `uv`: the images that they are built from, by digest.
        only: names; None for all but those that are built on request (trainer-gpu).
        on_event: told every few seconds how far it is.
        root: the checkout.
        plain_http: speak to the registry without TLS; only for one at a loopback or private address.
        builder: docker, podman or buildah; empty takes the one that works.

    Returns:
        `registry/name@sha256:...` by name.

    Raises:
        ConfigError: a name, a base or the registry is not as it must be, all problems at once.
        BuilderMissing, BuildFailed, ToolMissing: what it says.
    """
    wanted = _wanted(only)
    problems = [*_base_problems(bases), *registries.problems(registry, plain_http=plain_http)]
    if problems:
        raise ConfigError(problems)
    tool = detect(builder or os.environ.get("MAINLINE_BUILDER", ""))
    logs = root / RESULT.parent / "logs"
    logs.mkdir(parents=True, exist_ok=True)
    if any(image.needs_kustomize for image in wanted):
        put_kustomize(root, lambda line: on_event(Event("trainer", 0, len(wanted), "build", 0.0, line)))
    built: dict[str, str] = {}
    with tempfile.TemporaryDirectory(prefix="mainline-images-") as scratch:
        secrets = surroundings.secrets(os.environ, Path(scratch))
        for number, image in enumerate(wanted, start=1):
            order = _order(root, image, registry, bases, secrets, plain_http=plain_http)

            def tell(action: str, seconds: float, detail: str, image: Image = image, number: int = number) -> None:
                on_event(Event(image.name, number, len(wanted), action, seconds, detail))

            built[image.name] = _build(tool, order, root, logs / f"image-{image.name}", tell, plain_http=plain_http)
            _remember(root, {image.name: built[image.name]})
    return built


def read_bases(root: Path = ROOT, environment: Mapping[str, str] = os.environ) -> dict[str, str]:
    """The base images: PYTHON_IMAGE and UV_IMAGE of the environment, else what the cluster's provider has made."""
    made = read_json(root / BASES) if (root / BASES).exists() else {}
    named = {"python": environment.get("PYTHON_IMAGE", ""), "uv": environment.get("UV_IMAGE", "")}
    return {name: named[name] or str(made.get(name, "")) for name in named}


def _wanted(only: Collection[str] | None) -> list[Image]:
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


def _base_problems(bases: Mapping[str, str]) -> list[str]:
    return [
        f"images: {remedy.format(got=f'got {bases[name]!r}' if bases.get(name) else 'is not set')}"
        for name, remedy in _REMEDIES.items()
        if not _BY_DIGEST.fullmatch(bases.get(name, ""))
    ]


def _order(
    root: Path,
    image: Image,
    registry: str,
    bases: Mapping[str, str],
    secrets: Mapping[str, Path],
    *,
    plain_http: bool,
) -> Order:
    commit = revision(root, image.dockerfile)
    labels = {
        "org.opencontainers.image.title": f"mainline-{image.name}",
        "org.opencontainers.image.base.name": bases["python"],
        **({"org.opencontainers.image.revision": commit} if commit else {}),
        **({"org.opencontainers.image.source": url} if (url := source_url(root)) else {}),
    }
    near = plain_http and all(registries.is_near(registries.host_of(base)) for base in bases.values())
    return Order(
        tag=f"{registry}/{image.name}:{commit[:12] or 'unknown'}{DIRTY if commit.endswith(DIRTY) else ''}",
        dockerfile=image.dockerfile,
        target=image.target,
        arguments={"PYTHON_IMAGE": bases["python"], "UV_IMAGE": bases["uv"]},
        labels=labels,
        secrets=secrets,
        plain_http=near,
    )


def _build(
    tool: Builder, order: Order, root: Path, log: Path, tell: Callable[[str, float, str], None], *, plain_http: bool
) -> str:
    started = time.monotonic()
    tool.build(order, root, log.with_suffix(".log"), lambda seconds, line: tell("build", seconds, line))
    push_log = log.with_name(f"{log.name}-push.log")
    digest = tool.push(order.tag, push_log, lambda seconds, line: tell("push", seconds, line), plain_http=plain_http)
    reference = f"{order.tag.rpartition(':')[0]}@{digest}"
    tell("done", time.monotonic() - started, reference)
    return reference


def _remember(root: Path, built: Mapping[str, str]) -> None:
    path = root / RESULT
    known = read_json(path) if path.exists() else {}
    write_json(path, {**known, **built})
