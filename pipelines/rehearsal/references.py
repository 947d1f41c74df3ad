"""The arguments that a Rollout passes to its analyses: values, pod-template hashes and fields of the Rollout itself.

Source: argo-rollouts v1.10.0, utils/analysis/factory.go (BuildArgumentsForRolloutAnalysisRun).
"""

import re
from collections.abc import Iterable, Mapping
from typing import Any

from models.errors import ConfigError
from pipelines.rehearsal.errors import Unsupported

_METADATA = re.compile(r"metadata\.(?:(name|namespace|uid)|(labels|annotations)\['([^']+)'\])")


def passed_arguments(
    arguments: Iterable[Mapping[str, Any]], rollout: Mapping[str, Any], hashes: Mapping[str, str], where: str
) -> dict[str, str]:
    """The values by name.

    Args:
        hashes: of `Latest` and `Stable`.

    Raises:
        ConfigError: a reference leads to nothing.
        Unsupported: another kind of reference.
    """
    found = {}
    for argument in arguments:
        name, source = argument["name"], argument.get("valueFrom")
        found[name] = (
            _referred(source, rollout, hashes, f"{where}: args.{name}") if source else str(argument.get("value") or "")
        )
    return found


def _referred(source: Mapping[str, Any], rollout: Mapping[str, Any], hashes: Mapping[str, str], where: str) -> str:
    if "podTemplateHashValue" in source:
        which = source["podTemplateHashValue"]
        if which not in hashes:
            raise ConfigError([f"{where}: podTemplateHashValue {which!r}, must be Latest or Stable"])
        return hashes[which]
    if "fieldRef" in source:
        return _field(rollout, source["fieldRef"]["fieldPath"], where)
    raise Unsupported([f"{where}: valueFrom.{next(iter(source), '')} is not covered"])


def _field(rollout: Mapping[str, Any], path: str, where: str) -> str:
    if path.startswith("metadata"):
        found = _METADATA.fullmatch(path)
        if found is None:
            raise Unsupported([f"{where}: fieldPath {path} is not covered"])
        name, group, key = found.groups()
        metadata = rollout.get("metadata") or {}
        # An absent label or annotation is an empty value, as in the downward API.
        return str((metadata.get(group) or {}).get(key, "") if group else metadata.get(name, ""))
    value: Any = rollout
    for part in filter(None, re.split(r"[.\[\]]+", path)):
        if isinstance(value, list):
            value = value[int(part)] if part.isdigit() and int(part) < len(value) else None
        else:
            value = value.get(part) if isinstance(value, Mapping) else None
    if value is None or isinstance(value, list | dict):
        raise ConfigError([f"{where}: fieldPath {path} leads to no single value of the Rollout"])
    return str(value).lower() if isinstance(value, bool) else str(value)
