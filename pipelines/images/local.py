"""An image in this machine's own store, tagged by its commit; and whether it comes out twice alike."""

import os
import tempfile
from dataclasses import dataclass
from itertools import zip_longest
from pathlib import Path

from models.errors import ConfigError, MainlineError
from pipelines.images import surroundings
from pipelines.images.builder import Builder, Order, Tick, detect
from pipelines.images.kustomize_binary import put_kustomize
from pipelines.images.orders import ROOT, base_problems, named, order_of, read_bases

LOGS = Path("build/images/logs")


class NotReproducible(MainlineError):  # noqa: N818  (states what is so)
    """Two builds of the same files gave two images."""


@dataclass(frozen=True)
class Built:
    """An image in the store.

    Attributes:
        tag: `localhost/mainline-name:commit`.
        id: digest of its configuration, and by it of its layers.
    """

    tag: str
    id: str


def build(name: str, tick: Tick, *, twice: bool = False, root: Path = ROOT) -> Built:
    """Builds an image.

    Args:
        name: of the image.
        tick: told every few seconds how far it is.
        twice: build it without any former layer, and then again so, and compare.
        root: the checkout.

    Raises:
        ConfigError: a name or a base is not as it must be.
        BuilderMissing, BuildFailed, ToolMissing: what it says.
        NotReproducible: the second build differs from the first.
    """
    (image,) = named([name])
    bases = read_bases(root)
    if problems := base_problems(bases):
        raise ConfigError(problems)
    tool = detect(os.environ.get("MAINLINE_BUILDER", ""))
    if image.needs_kustomize:
        put_kustomize(root, lambda line: tick(0.0, line))
    log = root / LOGS / f"{image.name}.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="mainline-image-") as scratch:
        secrets = surroundings.secrets(os.environ, Path(scratch))
        # a base that is near may come without TLS: what comes is held against its digest
        order = order_of(root, image, f"localhost/mainline-{image.name}", bases, secrets, plain_http=True)
        if twice:
            return Built(order.tag, build_twice(tool, order, root, log, tick))
        return Built(order.tag, tool.build(order, root, log, tick))


def build_twice(tool: Builder, order: Order, context: Path, log: Path, tick: Tick) -> str:
    """Builds an image two times without any former layer; its id, which is the same both times.

    Raises:
        NotReproducible: it is not; the message says which layers differ.
    """
    first, second = (tool.build(order, context, log, tick, cached=False) for _ in range(2))
    if first == second:
        return second
    pairs = list(zip_longest(tool.layers(first), tool.layers(second)))
    differing = [f"layer {number}: {one}, then {two}" for number, (one, two) in enumerate(pairs, 1) if one != two]
    what = differing or ["the layers are the same and the configuration is not"]
    raise NotReproducible("\n  ".join([f"{order.tag}: two builds by {tool.name} gave {first}, then {second}:", *what]))
