"""Reads the mapping that a declaration's YAML file holds. Called by `spec` and `gates_spec`.

Apart from `declaration`, whose classes a bundle's manifest is made of: the server reads no YAML and starts without it.
"""

from pathlib import Path
from typing import Any

import yaml

from models.declaration import show
from models.errors import ConfigError


def read_mapping(path: Path) -> dict[str, Any]:
    """The mapping that a YAML file holds.

    Raises:
        ConfigError: no such file, not UTF-8, not YAML, a key that stands twice, or no mapping at the top.
    """
    try:
        text = path.read_text(encoding="utf-8")
    except FileNotFoundError:
        raise ConfigError([f"{path}: -: got no such file, every model folder has one, see `mainline new`"]) from None
    except (OSError, UnicodeDecodeError) as err:
        raise ConfigError([f"{path}: -: got {err}, must be a readable UTF-8 file"]) from err
    try:
        loaded = yaml.load(text, Loader=_StrictLoader)  # noqa: S506  (a SafeLoader)
    except (yaml.YAMLError, ValueError) as err:  # ValueError: a date such as 2020-13-45
        mark = getattr(err, "problem_mark", None)
        where = f"line {mark.line + 1}, column {mark.column + 1}" if mark is not None else "-"
        what = getattr(err, "problem", None) or str(err).splitlines()[0]
        raise ConfigError([f"{path}: {where}: got {what}, must be YAML"]) from err
    if not isinstance(loaded, dict):
        raise ConfigError([f"{path}: -: got {show(loaded)}, must be a mapping of keys to values"])
    return loaded


class _StrictLoader(yaml.SafeLoader):
    """YAML without the silent trap of a key that stands twice."""

    def construct_mapping(self, node: yaml.MappingNode, deep: bool = False) -> dict[Any, Any]:
        seen: set[str] = set()
        for key, _ in node.value:
            if isinstance(key, yaml.ScalarNode) and key.value != "<<":
                if key.value in seen:
                    raise yaml.constructor.ConstructorError(
                        None, None, f'the key "{key.value}" stands twice', key.start_mark
                    )
                seen.add(key.value)
        return super().construct_mapping(node, deep)
