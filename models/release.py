"""What an environment runs: the release, as `kustomize/overlays/<env>/<m>/release.yaml` holds it.

A release names an image, a model version and the digest of its bundle. The file is a ConfigMap that never reaches a
cluster (`config.kubernetes.io/local-config`); `kustomize/components/release` copies its values into the pod template.
Steps read it to find the champion, proposals write it, and a merge of it is a deployment. Rendering is deterministic:
a promotion is a copy of the file and its revert gives back the former bytes.
"""

import json
import re
from dataclasses import dataclass, fields
from pathlib import Path

import yaml

from models.errors import ConfigError

UNRELEASED = "unreleased"
THIS_MACHINE = "this-machine"

_NAME = re.compile(r"[a-z][a-z0-9]*")
_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_IMAGE = re.compile(r"[a-z0-9][a-zA-Z0-9._:/-]*@sha256:[0-9a-f]{64}")
_COMMIT = re.compile(r"[0-9a-f]{40}|[0-9a-f]{64}")
_ANNOTATIONS = {"config.kubernetes.io/local-config": "true"}
_LINEAGE = ("uri", "digest", "run", "commit")


@dataclass(frozen=True)
class Release:
    """One version of one model, pinned.

    Attributes:
        image: serving image by digest, or `this-machine` for the code of this checkout (no cluster accepts it).
        model: the model's name.
        version: the registered version, a whole number from 1; "0" before the first release.
        uri: where the bundle lies (`file://`, `s3://`, `gs://`, `https://`), or `unreleased`.
        digest: `sha256:<hex>` of the bundle, or `unreleased`.
        run: MLflow's run id, or `unreleased`.
        commit: the commit that was trained, in full, or `unreleased`.
        attempt: whole number from 1; raised to send a version through the gates again after its rollout was aborted.
            It stands in the pod template, so that Argo Rollouts sees a new revision and skips no step.
    """

    image: str
    model: str
    version: str
    uri: str
    digest: str
    run: str
    commit: str
    attempt: str = "1"

    @property
    def is_released(self) -> bool:
        """Whether the environment has a model at all; False in the state before the first release."""
        return self.digest != UNRELEASED


def unreleased(model: str) -> Release:
    """The state of a new model's overlay, before anything was released there."""
    return Release(THIS_MACHINE, model, "0", UNRELEASED, UNRELEASED, UNRELEASED, UNRELEASED)


def release_path(environment: str, model: str) -> str:
    """Where the release of a model stands in the repository, relative to its root."""
    return f"kustomize/overlays/{environment}/{model}/release.yaml"


def beside_path(environment: str, main: str, model: str) -> str:
    """Where the release of a model stands that is served beside `main`, by the pods of `main`."""
    return f"kustomize/overlays/{environment}/{main}/{beside_name(model)}.yaml"


def beside_name(model: str) -> str:
    """What the release of a model is called that stands beside another."""
    return f"release-{model}"


def read_release(source: Path | str, object_name: str = "release") -> Release:
    """The release in a file (`Path`) or in a file's text (`str`).

    Args:
        object_name: `release`, or a `beside_name`.

    Raises:
        ConfigError: one line for each problem: no YAML, not the ConfigMap, a key missing, unknown or not as it must be.
    """
    name = str(source) if isinstance(source, Path) else "release.yaml"
    try:
        text = source.read_text(encoding="utf-8") if isinstance(source, Path) else source
    except OSError as err:
        raise ConfigError([f"{name}: cannot be read ({err.strerror}): restore it from git"]) from err
    try:
        document = yaml.safe_load(text)
    except yaml.YAMLError as err:
        raise ConfigError([f"{name}: not YAML ({str(err).splitlines()[0]}): restore it from git"]) from err
    problems = [f"{name}: {problem}" for problem in _shape_problems(document, object_name)]
    if problems:
        raise ConfigError(problems)
    release = Release(**document["data"])
    problems = [f"{name}: {problem}" for problem in _value_problems(release)]
    if problems:
        raise ConfigError(problems)
    return release


def render_release(release: Release, object_name: str = "release") -> str:
    """The text of release.yaml; equal releases give equal bytes.

    Args:
        object_name: `release`, or a `beside_name`.

    Raises:
        ConfigError: a value is not as it must be.
    """
    problems = [f"release.yaml: {problem}" for problem in _value_problems(release)]
    if problems:
        raise ConfigError(problems)
    # A JSON string is a YAML string: quoted, so that "17" stays text in a label.
    data = "".join(f"  {field.name}: {json.dumps(getattr(release, field.name))}\n" for field in fields(Release))
    return (
        "# Written by mainline. Merging a change of this file deploys it; reverting the change rolls back.\n"
        f"apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: {object_name}\n  annotations:\n"
        '    config.kubernetes.io/local-config: "true"\n'
        f"data:\n{data}"
    )


def _shape_problems(document: object, object_name: str) -> list[str]:
    if not isinstance(document, dict):
        return [f"got {type(document).__name__}, must be a ConfigMap"]
    problems = []
    metadata = document.get("metadata")
    metadata = metadata if isinstance(metadata, dict) else {}
    if (document.get("apiVersion"), document.get("kind"), metadata.get("name")) != ("v1", "ConfigMap", object_name):
        problems.append(f"must be the v1 ConfigMap named {object_name}")
    if metadata.get("annotations") != _ANNOTATIONS:
        problems.append('metadata.annotations: must be config.kubernetes.io/local-config: "true", else it is applied')
    data = document.get("data")
    if not isinstance(data, dict):
        return [*problems, f"data: got {type(data).__name__}, must be a mapping"]
    names = [field.name for field in fields(Release)]
    problems += [f"data.{name}: missing" for name in names if name not in data]
    problems += [f"data.{key}: unknown, must be one of {', '.join(names)}" for key in data if key not in names]
    problems += [
        f"data.{key}: got {value!r} ({type(value).__name__}), must be a quoted string"
        for key, value in data.items()
        if key in names and not isinstance(value, str)
    ]
    return problems


def _value_problems(release: Release) -> list[str]:
    problems = []
    if not (release.image == THIS_MACHINE or _IMAGE.fullmatch(release.image)):
        problems.append(f"data.image: got {release.image!r}, must be NAME@sha256:<64 hex> or {THIS_MACHINE!r}")
    if not _NAME.fullmatch(release.model):
        problems.append(f"data.model: got {release.model!r}, must match [a-z][a-z0-9]*")
    if not re.fullmatch(r"[1-9][0-9]*", release.attempt):
        problems.append(f"data.attempt: got {release.attempt!r}, must be a whole number from 1, quoted")
    unset = [name for name in _LINEAGE if getattr(release, name) == UNRELEASED]
    if unset and len(unset) != len(_LINEAGE):
        problems.append(f"data: {', '.join(unset)} unreleased and the others not: all of {', '.join(_LINEAGE)} or none")
    if unset:
        if release.version != "0":
            problems.append(f'data.version: got {release.version!r}, must be "0" while unreleased')
        return problems
    if not re.fullmatch(r"[1-9][0-9]*", release.version):
        problems.append(f"data.version: got {release.version!r}, must be a whole number from 1, quoted")
    if not re.fullmatch(r"(file|s3|gs|https)://[^\s\x00-\x1f]+", release.uri):
        problems.append(f"data.uri: got {release.uri!r}, must be a file://, s3://, gs:// or https:// address")
    if not _DIGEST.fullmatch(release.digest):
        problems.append(f"data.digest: got {release.digest!r}, must be sha256:<64 hex>")
    if not re.fullmatch(r"[0-9A-Za-z._-]+", release.run):
        problems.append(f"data.run: got {release.run!r}, must be a run id")
    if not _COMMIT.fullmatch(release.commit):
        problems.append(f"data.commit: got {release.commit!r}, must be a full commit id")
    return problems
