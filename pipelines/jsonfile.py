"""JSON files between steps: canonical, written whole or not at all, and NaN outside is null."""

import json
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from pipelines.errors import ConfigError


def write_json(path: Path, document: Mapping[str, Any]) -> None:
    """Writes the document with sorted keys; numbers that are not finite become null."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(json.dumps(plain(document), indent=2, sort_keys=True, allow_nan=False) + "\n", encoding="utf-8")
    partial.replace(path)


def read_json(path: Path) -> dict[str, Any]:
    """The object in a file.

    Raises:
        ConfigError: the file is absent, or holds no JSON object.
    """
    try:
        document = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(
            [f"{path}: cannot be read ({error.strerror}); the step that writes it has not run"]
        ) from error
    except ValueError as error:
        raise ConfigError([f"{path}: {error}; run the step that writes it again"]) from error
    if not isinstance(document, dict):
        raise ConfigError([f"{path}: got {type(document).__name__}, must be an object"])
    return document


def plain(value: object) -> Any:
    """The same value in JSON's own types."""
    if isinstance(value, Mapping):
        return {str(key): plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray | np.generic):
        return plain(value.tolist())
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [plain(item) for item in value]
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    return value


def number(value: object) -> float:
    """A number from a document; null is NaN, as it was before it was written."""
    return float(value) if isinstance(value, int | float) else math.nan
