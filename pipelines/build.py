"""What a built overlay says: its objects, its pod's command and environment, and whether a cluster may have it.

`python -m pipelines.build --env staging --model iris` prints the overlay as Kustomize builds it; with `--cluster` it
first refuses what only this machine can run, and says on the Rollout who let the release in. `serve` runs the pod that
is read here.
"""

import argparse
import difflib
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from models.errors import ConfigError, GateClosed, MainlineError
from models.release import THIS_MACHINE, UNRELEASED
from pipelines import tools

Object = Mapping[str, object]
BY_DIGEST = re.compile(r".+@sha256:[0-9a-f]{64}")
# libyaml's reads an overlay in a tenth of the time.
_LOADER = yaml.CSafeLoader if yaml.__with_libyaml__ else yaml.SafeLoader
# The one field of a pod that its environment may name: the revision that it belongs to.
POD_TEMPLATE_HASH = "metadata.labels['rollouts-pod-template-hash']"


@dataclass(frozen=True)
class PodCommand:
    """What the serving container of a built overlay runs.

    Attributes:
        command: program and arguments.
        environment: the literal variables of the container.
        image: by digest, or `this-machine`.
        ports: port by name.
        ready_path: the readiness probe's path.
        folders: mount paths of emptyDir volumes, which the process may write to.
        grace_seconds: time between SIGTERM and SIGKILL.
        hash_variables: names of the variables that carry the pod-template hash, which who starts the process must know.
    """

    command: tuple[str, ...]
    environment: Mapping[str, str]
    image: str
    ports: Mapping[str, int]
    ready_path: str
    folders: tuple[str, ...]
    grace_seconds: int
    hash_variables: tuple[str, ...] = ()


def build_overlay(root: Path, environment: str, model: str) -> str:
    """The objects of one overlay, as YAML; the same tree gives the same bytes.

    Raises:
        ConfigError: there is no such overlay, or Kustomize refuses it.
        ToolMissing: there is no Kustomize.
    """
    overlays = root / "kustomize" / "overlays"
    folder = overlays / environment / model
    if not (folder / "kustomization.yaml").is_file():
        known = sorted(
            f"{path.parent.parent.name}/{path.parent.name}" for path in overlays.glob("*/*/kustomization.yaml")
        )
        near = difflib.get_close_matches(f"{environment}/{model}", known, n=1)
        hint = f"did you mean {near[0]}?" if near else f"there are {', '.join(known) or 'none'}"
        raise ConfigError([f"kustomize/overlays/{environment}/{model}: no such overlay; {hint}"])
    return build_folder(root, f"kustomize/overlays/{environment}/{model}")


def build_folder(root: Path, folder: str) -> str:
    """The objects of any folder of `root` that has a kustomization, as YAML.

    Raises:
        ConfigError: Kustomize refuses it.
        ToolMissing: there is no Kustomize.
    """
    command = [*tools.kustomize(root), "build", str(root / folder)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise ConfigError([f"{folder}: does not build: {done.stderr.strip()}"])
    return done.stdout


def objects(built: str) -> list[dict[str, object]]:
    """The objects of a built overlay, in its order."""
    return [item for item in yaml.load_all(built, Loader=_LOADER) if item]


def rollout(built: Sequence[Object]) -> Object:
    """The one Rollout among the objects.

    Raises:
        ConfigError: there is none, or more than one.
    """
    found = [item for item in built if item.get("kind") == "Rollout"]
    if len(found) != 1:
        raise ConfigError([f"overlay: got {len(found)} objects of kind Rollout, must be one"])
    return found[0]


def pod(built: Sequence[Object]) -> PodCommand:
    """The command that the Rollout's one container runs.

    Raises:
        ConfigError: the pod template takes a variable from elsewhere, or lacks what a process needs.
    """
    template = _at(rollout(built), "spec", "template", "spec")
    containers = list(_items(template, "containers"))
    if len(containers) != 1:
        raise ConfigError([f"Rollout: got {len(containers)} containers, must be one to be run as a process"])
    container = containers[0]
    environment, hash_variables = _environment(container)
    empty = {str(volume["name"]) for volume in _items(template, "volumes") if "emptyDir" in volume}
    command = [*_words(container, "command"), *_words(container, "args")]
    if not command:
        raise ConfigError(["Rollout: container: no command: the overlay must say what runs"])
    return PodCommand(
        command=tuple(command),
        environment=environment,
        image=str(container.get("image")),
        ports={str(port["name"]): int(str(port["containerPort"])) for port in _items(container, "ports")},
        ready_path=str(_at(container, "readinessProbe", "httpGet")["path"]),
        folders=tuple(str(m["mountPath"]) for m in _items(container, "volumeMounts") if m["name"] in empty),
        grace_seconds=int(str(template.get("terminationGracePeriodSeconds", 30))),  # Kubernetes' own default
        hash_variables=hash_variables,
    )


def _environment(container: Object) -> tuple[dict[str, str], tuple[str, ...]]:
    """The literal variables, and the names of those that carry the pod-template hash."""
    literal, hashes = {}, []
    for variable in _items(container, "env"):
        name = str(variable.get("name"))
        if "value" in variable:
            literal[name] = str(variable["value"])
        elif variable.get("valueFrom") == {"fieldRef": {"fieldPath": POD_TEMPLATE_HASH}}:
            hashes.append(name)
        else:
            got = variable.get("valueFrom", "nothing")
            rule = f"a process here can be given a literal value or the field {POD_TEMPLATE_HASH}"
            raise ConfigError([f"Rollout: env {name}: got {got}, {rule}"])
    return literal, tuple(hashes)


def refuse_on_cluster(built: Sequence[Object]) -> None:
    """Lets objects pass that a cluster may have.

    Raises:
        GateClosed: an image is not pinned by digest (`this-machine` never is), or nothing was released yet.
    """
    problems = []
    for image in sorted(set(images(built))):
        if image == THIS_MACHINE:
            problems.append(f"image {THIS_MACHINE!r} stands for this checkout's own code: release an image by digest")
        elif not BY_DIGEST.fullmatch(image):
            problems.append(f"image {image!r} is not pinned by digest: a tag moves, write NAME@sha256:<64 hex>")
    # A model beside the main one has all words of its release in one value.
    if any(UNRELEASED in value.split(" ") for value in _strings(built)):
        problems.append("nothing is released here: merge a proposal first")
    if problems:
        raise GateClosed("a cluster must not have this overlay: " + "; ".join(problems))


def images(node: object) -> Iterator[str]:
    """Every image that a container among the objects names."""
    if isinstance(node, Mapping):
        for key, value in node.items():
            if key == "image" and isinstance(value, str):
                yield value
            else:
                yield from images(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from images(value)


def _strings(node: object) -> Iterator[str]:
    if isinstance(node, Mapping):
        for value in node.values():
            yield from _strings(value)
    elif isinstance(node, list | tuple):
        for value in node:
            yield from _strings(value)
    elif isinstance(node, str):
        yield node


def _at(node: Object, *path: str) -> Object:
    for key in path:
        value = node.get(key)
        if not isinstance(value, Mapping):
            raise ConfigError([f"Rollout: {'.'.join(path)}: missing, and needed to run the pod as a process"])
        node = value
    return node


def _items(node: Object, key: str) -> Iterator[Object]:
    value = node.get(key, [])
    yield from (item for item in value if isinstance(item, Mapping)) if isinstance(value, list) else ()


def _words(node: Object, key: str) -> list[str]:
    value = node.get(key, [])
    return [str(word) for word in value] if isinstance(value, list) else []


def main(arguments: Sequence[str] | None = None) -> int:
    """Prints a built overlay. Exit 2: no such overlay or it does not build; 3: a cluster must not have it."""
    parser = argparse.ArgumentParser(prog="python -m pipelines.build", description="Build an overlay with Kustomize.")
    parser.add_argument("--env", required=True, help="staging or production")
    parser.add_argument("--model", required=True)
    parser.add_argument("--root", type=Path, default=tools.ROOT, help="the checkout; default: this one")
    parser.add_argument(
        "--cluster",
        action="store_true",
        help="for a cluster: refuse what it must not have, name approver and merge commit",
    )
    options = parser.parse_args(arguments)
    try:
        built = build_overlay(options.root, options.env, options.model)
        if options.cluster:
            from pipelines.deploying import deployed

            refuse_on_cluster(objects(built))
            built = deployed(objects(built), options.root, options.env, options.model)
    except MainlineError as err:
        print(err, file=sys.stderr)
        return err.exit_code
    sys.stdout.write(built)
    return 0


if __name__ == "__main__":
    sys.exit(main())
