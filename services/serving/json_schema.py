"""Pieces that the OpenAPI document is put together from. Used by `schema` and by the descriptions of single routes."""

from collections.abc import Mapping
from typing import Any

Document = dict[str, Any]

TEXT: Document = {"type": "string"}
NUMBER: Document = {"type": "number"}
WHOLE: Document = {"type": "integer"}
# What each answer says of itself.
IDENTITY: Document = dict.fromkeys(("model", "version", "digest", "request_id"), TEXT)


def record(properties: Mapping[str, Document], *, optional: tuple[str, ...] = ()) -> Document:
    """An object with these members, all required but those that are optional."""
    required = [name for name in properties if name not in optional]
    return {"type": "object", "properties": dict(properties), "required": required}


def list_of(items: Document, most: int) -> Document:
    """A list of at most so many items."""
    return {"type": "array", "items": items, "maxItems": most}


def ref(name: str) -> Document:
    """The schema of that name."""
    return {"$ref": f"#/components/schemas/{name}"}


def either(*names: str) -> Document:
    """One of these schemas."""
    return {"oneOf": [ref(name) for name in names]}


def described(schema: Document, words: str) -> Document:
    """The schema with a description."""
    return {**schema, "description": words}


def in_unit(schema: Document, unit: str | None) -> Document:
    """The schema with its unit, where it has one."""
    return schema if unit is None else described(schema, f"in {unit}")


def answer(description: str, schema: str, media_type: str = "application/json") -> Document:
    """A response of one media type."""
    return {"description": description, "content": {media_type: {"schema": ref(schema)}}}
