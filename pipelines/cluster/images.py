"""The images, built from this checkout and pushed; afterwards they are known by the digest that the push returned.

`make images` and the installer call `build_all`. Its result is also in `build/cluster/images.json`.
"""

import os
import tempfile
import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from pathlib import Path

from models.errors import ConfigError
from pipelines.images import registries, surroundings
from pipelines.images.builder import Builder, Order, detect
from pipelines.images.kustomize_binary import put_kustomize
from pipelines.images.orders import ROOT, Image, base_problems, named, order_of
from pipelines.jsonfile import read_json, write_json

RESULT = Path("build/cluster/images.json")


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
    wanted = named(only)
    problems = [*base_problems(bases), *registries.problems(registry, plain_http=plain_http)]
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
            order = order_of(root, image, f"{registry}/{image.name}", bases, secrets, plain_http=plain_http)

            def tell(action: str, seconds: float, detail: str, image: Image = image, number: int = number) -> None:
                on_event(Event(image.name, number, len(wanted), action, seconds, detail))

            built[image.name] = _build(tool, order, root, logs / f"image-{image.name}", tell, plain_http=plain_http)
            _remember(root, {image.name: built[image.name]})
    return built


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
