"""Requests in the forms that servers take rows in, and the file in which the load generator finds many of them."""

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

Rows = npt.NDArray[np.float64]
HEADER_LENGTH = "Inference-Header-Content-Length"


@dataclass(frozen=True)
class Body:
    """What is posted; `headers` say its type, and whatever else the form wants."""

    content: bytes
    headers: Mapping[str, str] = field(default_factory=lambda: {"Content-Type": "application/json"})


# Rows (n, n_features) and the names of their columns to a request.
Form = Callable[[Rows, Sequence[str]], Body]


def named(rows: Rows, features: Sequence[str]) -> Body:
    """An object of named values for one row; a list of positional rows under `features` for more."""
    if len(rows) > 1:
        return _json({"features": rows.tolist()})
    return _json(dict(zip(features, rows[0].tolist(), strict=True)))


def instances(rows: Rows, features: Sequence[str]) -> Body:
    """The protocol V1: lists of values."""
    return _json({"instances": rows.tolist()})


def under(key: str) -> Form:
    """Lists of values under another word."""
    return lambda rows, features: _json({key: rows.tolist()})


def named_or_instances(rows: Rows, features: Sequence[str]) -> Body:
    """As a tutorial has it: named values for one row, lists for many."""
    return named(rows, features) if len(rows) == 1 else instances(rows, features)


def tensor(name: str, datatype: str) -> Form:
    """The protocol V2 in JSON, all columns in one tensor."""

    def form(rows: Rows, features: Sequence[str]) -> Body:
        given = {"name": name, "shape": list(rows.shape), "datatype": datatype, "data": rows.ravel().tolist()}
        return _json({"inputs": [given]})

    return form


def binary(name: str, datatype: str) -> Form:
    """The protocol V2 with the binary tensor extension, both ways."""
    kind = {"FP32": "<f4", "FP64": "<f8"}[datatype]

    def form(rows: Rows, features: Sequence[str]) -> Body:
        raw = rows.astype(kind).tobytes()
        given = {
            "name": name, "shape": list(rows.shape), "datatype": datatype,
            "parameters": {"binary_data_size": len(raw)},
        }  # fmt: skip
        head = _text({"inputs": [given], "parameters": {"binary_data_output": True}})
        return Body(head + raw, {"Content-Type": "application/octet-stream", HEADER_LENGTH: str(len(head))})

    return form


def write(path: Path, bodies: Iterable[Body]) -> Mapping[str, str]:
    """Writes contents for the load generator, each behind its length; returns the headers, which must be the same."""
    headers: Mapping[str, str] | None = None
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("wb") as file:
        for body in bodies:
            if headers not in (None, body.headers):
                raise ValueError(f"{path}: headers differ from body to body, {headers} and {body.headers}")
            headers = body.headers
            file.write(b"%d\n%s\n" % (len(body.content), body.content))
    return headers or {}


def _json(document: Any) -> Body:
    return Body(_text(document))


def _text(document: Any) -> bytes:
    return json.dumps(document, separators=(",", ":")).encode()
