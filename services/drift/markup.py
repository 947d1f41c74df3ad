"""HTML as a tree of the standard library's elements, which escapes whatever it holds."""

from xml.etree import ElementTree as ET

Element = ET.Element


def element(tag: str, *children: "Element | str", **attributes: str) -> Element:
    """One element. Attribute names lose a trailing underscore (`class_`), other underscores become hyphens."""
    made = ET.Element(tag, {name.rstrip("_").replace("_", "-"): value for name, value in attributes.items()})
    for child in children:
        if isinstance(child, str):
            if len(made):
                made[-1].tail = (made[-1].tail or "") + child
            else:
                made.text = (made.text or "") + child
        else:
            made.append(child)
    return made


def document(*, title: str, style: str, body: list[Element]) -> str:
    """A whole page that loads nothing."""
    head = element(
        "head",
        element("meta", charset="utf-8"),
        element("meta", name="viewport", content="width=device-width, initial-scale=1"),
        element("title", title),
        element("style", style),
    )
    return "<!doctype html>\n" + ET.tostring(
        element("html", head, element("body", *body), lang="en"), encoding="unicode", method="html"
    )
