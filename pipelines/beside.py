"""Puts what an environment's overlay of a model releases beside another model: `release-<m>.yaml`, for a pull request.

`python -m pipelines.beside --env production --main property --model iris` copies the release of
kustomize/overlays/production/iris into kustomize/overlays/production/property/release-iris.yaml, every value but the
object's name. That overlay's kustomization.yaml must then list, once for all releases of the model, `release-iris.yaml`
among its resources and the component `../../../../models/iris/beside` among its components. A merge deploys it: the
pods of `property` get another template, and go through their gates. A revert rolls back.
"""

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

from models.errors import ConfigError, GateClosed, MainlineError
from models.release import beside_name, beside_path, read_release, release_path, render_release
from pipelines import tools


def put_beside(root: Path, environment: str, main: str, model: str) -> Path:
    """Writes the release of `model` into the overlay of `main`; the same bytes for the same release.

    Args:
        root: the checkout.
        environment: staging or production.

    Returns:
        The file, below the root.

    Raises:
        ConfigError: no such overlay, or the two are one model.
        GateClosed: nothing of the model is released in the environment.
    """
    if main == model:
        raise ConfigError([f"model: got {model!r}, which is the main model: its release is release.yaml"])
    for name in (main, model):
        path = release_path(environment, name)
        if not (root / path).is_file():
            raise ConfigError([f"{path}: no such file: is {name!r} a model in {environment}?"])
    release = read_release(root / release_path(environment, model))
    if not release.is_released:
        raise GateClosed(f"{model}: nothing is released to {environment}: merge a proposal first")
    target = Path(beside_path(environment, main, model))
    (root / target).write_text(render_release(release, beside_name(model)), encoding="utf-8")
    return target


def main(arguments: Sequence[str] | None = None) -> int:
    """Writes the file and says where. Exit 2: no such overlay; 3: nothing is released there."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.beside", description=__doc__)
    parser.add_argument("--env", required=True, help="staging or production")
    parser.add_argument("--main", required=True, help="the model whose pods serve it")
    parser.add_argument("--model", required=True, help="the model that is to stand beside it")
    parser.add_argument("--root", type=Path, default=tools.ROOT, help="the checkout; default: this one")
    options = parser.parse_args(arguments)
    try:
        written = put_beside(options.root, options.env, options.main, options.model)
    except MainlineError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    print(written)
    return 0


if __name__ == "__main__":
    sys.exit(main())
