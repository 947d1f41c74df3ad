"""HTML elements that escape what they hold: the only way the report makes markup."""

from __future__ import annotations

from html import escape

VOID = frozenset({"br", "circle", "line", "link", "meta", "rect"})


class Markup(str):
    """Text that is HTML already. Only `element`, `join` and constants of this package make one."""

    __slots__ = ()


def join(parts: list[Markup]) -> Markup:
    """Markup after markup, one a line."""
    return Markup("\n".join(parts))


def element(tag: str, *children: str, **attributes: str | int | None) -> Markup:
    """One element; children that are not `Markup` are escaped, attributes always.

    Attribute names lose a trailing underscore (`class_`), other underscores become hyphens; None leaves one out.
    """
    written = "".join(
        f' {key.rstrip("_").replace("_", "-")}="{escape(str(value), quote=True)}"'
        for key, value in attributes.items()
        if value is not None
    )
    if tag in VOID and not children:
        return Markup(f"<{tag}{written}>") if tag in {"br", "link", "meta"} else Markup(f"<{tag}{written}/>")
    inside = "".join(child if isinstance(child, Markup) else escape(child) for child in children)
    return Markup(f"<{tag}{written}>{inside}</{tag}>")
