"""The Kustomize files of a model: its component and one overlay per environment, as a new model starts with them.

`mainline new` writes them; afterwards people edit the overlays, and proposals alone write `release.yaml`.
"""

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from models.release import THIS_MACHINE, beside_name, read_release, release_path, render_release, unreleased

ENVIRONMENTS = ("staging", "production")


def kustomize_files(model: str, images: Mapping[str, str] | None = None) -> dict[str, str]:
    """Path from the repository's root to text: both components of `models/<m>` and both overlays, unreleased.

    Args:
        model: its name.
        images: the serving image by environment; `this-machine` where it names none.

    Raises:
        ConfigError: the name is none that a model may have.
    """
    files = {
        f"models/{model}/kustomization.yaml": _component(model),
        f"models/{model}/beside/kustomization.yaml": _beside(model),
    }
    for environment in ENVIRONMENTS:
        files[f"kustomize/overlays/{environment}/{model}/kustomization.yaml"] = _overlay(model, environment)
        image = (images or {}).get(environment, THIS_MACHINE)
        files[release_path(environment, model)] = render_release(replace(unreleased(model), image=image))
    return files


def images(root: Path, *, besides: str) -> dict[str, str]:
    """The serving image of each environment in which all models have the same one: what a new model starts with.

    Args:
        root: the checkout.
        besides: a model that is not looked at.
    """
    found: dict[str, str] = {}
    for environment in ENVIRONMENTS:
        paths = (root / "kustomize" / "overlays" / environment).glob("*/release.yaml")
        names = {read_release(path).image for path in paths if path.parent.name != besides}
        if len(names) == 1:
            found[environment] = names.pop()
    return found


def _component(model: str) -> str:
    return f"""\
# What {model} adds to the serving base: its name on every object, and its gates, from which thresholds are read.
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
resources:
  - gates.yaml
components:
  - ../../kustomize/components/gates
labels:
  - pairs:
      app.kubernetes.io/instance: {model}
    fields:
      - kind: Rollout
        path: spec/template/metadata/labels
        create: true
"""


def _beside(model: str) -> str:
    name, variable, annotation = beside_name(model), f"MAINLINE_BESIDE_{model.upper()}", f"mainline.dev/beside-{model}"
    value = f"spec.template.spec.containers.[name=serving].env.[name={variable}].value"
    kept = f"spec.template.metadata.annotations.[{annotation}]"
    words = [(value, ("version", "uri", "digest")), (kept, ("run", "commit", "attempt"))]
    copied = "".join(
        f"""\
  - source:
      kind: ConfigMap
      name: {name}
      fieldPath: data.{field}
    targets:
      - select:
          kind: Rollout
          name: serving
        fieldPaths:
          - {path}
        options:
          delimiter: " "
          index: {index}
"""
        for path, fields in words
        for index, field in enumerate(fields)
    )
    return f"""\
# {model} beside another model, in that one's pods: for an overlay that has {name}.yaml among its resources. Copies what
# is released there into the pod template; a further line of the overlay's components, and without it nothing is left.
apiVersion: kustomize.config.k8s.io/v1alpha1
kind: Component
patches:
  - target:
      kind: Rollout
      name: serving
    patch: |-
      - op: test
        path: /spec/template/spec/containers/0/name
        value: serving
      # Version, address and digest of the bundle.
      - op: add
        path: /spec/template/spec/containers/0/env/-
        value:
          name: {variable}
          value: "unset unset unset"
      # What training knew: run and commit; and the attempt, by which a release goes through the gates again.
      - op: add
        path: /spec/template/metadata/annotations/{annotation.replace("/", "~1")}
        value: "unset unset unset"
replacements:
{copied}"""


def _overlay(model: str, environment: str) -> str:
    # Staging has nobody's load to follow.
    autoscaling = "  - ../../../components/autoscaling\n" if environment == "production" else ""
    return f"""\
# {model} in {environment}: where it runs and how traffic moves. What runs stands in release.yaml.
apiVersion: kustomize.config.k8s.io/v1beta1
kind: Kustomization
namespace: {model}-{environment}
resources:
  - ../../../base
  - release.yaml
components:
  - ../../../components/release
  - ../../../components/{environment}
{autoscaling}  - ../../../components/canary
  - ../../../../models/{model}
"""
