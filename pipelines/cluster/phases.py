"""In which order the platform's objects go to the API server: what others are named by first, what runs last."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

Object = Mapping[str, object]
_FIRST = ("Namespace", "CustomResourceDefinition", "PriorityClass", "StorageClass")
_ARGO = "argoproj.io"
_RUNNING = ("Deployment", "StatefulSet", "DaemonSet")


@dataclass(frozen=True)
class Phases:
    """The objects of a build, by when they are applied.

    Attributes:
        first: namespaces and kinds.
        rights: accounts, roles, quotas, policies, configuration: all that a pod needs before it starts.
        running: what starts pods.
        own: objects of the kinds that `first` or manifests/platform/kinds defined.
        last: what starts by the clock. Refused once, since what it names is not seen yet, it is never looked at again.
    """

    first: tuple[Object, ...]
    rights: tuple[Object, ...]
    running: tuple[Object, ...]
    own: tuple[Object, ...]
    last: tuple[Object, ...]


def phases(objects: Sequence[Object]) -> Phases:
    """Each object in exactly one phase, in the build's order."""
    kinds = {kind for item in objects if (kind := _defined(item))}
    first = tuple(item for item in objects if item["kind"] in _FIRST)
    running = tuple(item for item in objects if item["kind"] in _RUNNING)
    own = tuple(item for item in objects if _group(item) == _ARGO or (_group(item), item["kind"]) in kinds)
    rest = tuple(item for item in objects if item not in first and item not in running and item not in own)
    last = tuple(item for item in own if item["kind"] == "CronWorkflow")
    return Phases(first, rest, running, tuple(item for item in own if item not in last), last)


def definitions(objects: Sequence[Object]) -> list[str]:
    """Names of the CustomResourceDefinitions."""
    return [name(item) for item in objects if item["kind"] == "CustomResourceDefinition"]


def deployments(objects: Sequence[Object]) -> list[tuple[str, str]]:
    """Namespace and name of every Deployment."""
    return [(namespace(item), name(item)) for item in objects if item["kind"] == "Deployment"]


def serving_namespaces(objects: Sequence[Object]) -> list[str]:
    """Names of the namespaces that serve a model."""
    label = ("mainline.dev/role", "serving")
    return [name(item) for item in objects if item["kind"] == "Namespace" and label in labels(item).items()]


def name(item: Object) -> str:
    """An object's name."""
    return str(_metadata(item)["name"])


def namespace(item: Object) -> str:
    """An object's namespace; empty for those that are in none."""
    return str(_metadata(item).get("namespace", ""))


def labels(item: Object) -> Mapping[str, object]:
    """An object's labels."""
    found = _metadata(item).get("labels", {})
    return found if isinstance(found, Mapping) else {}


def _metadata(item: Object) -> Mapping[str, object]:
    found = item["metadata"]
    return found if isinstance(found, Mapping) else {}


def _group(item: Object) -> str:
    return str(item["apiVersion"]).rpartition("/")[0]


def _defined(item: Object) -> tuple[str, object] | None:
    spec = item.get("spec")
    if item["kind"] != "CustomResourceDefinition" or not isinstance(spec, Mapping):
        return None
    return str(spec["group"]), spec["names"]["kind"]
