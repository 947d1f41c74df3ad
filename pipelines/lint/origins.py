"""From a finding on a built overlay back to the file that a person edits: Kustomize keeps neither names nor lines."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from pipelines.lint.finding import Finding

_OBJECT = re.compile(r"(?P<kind>\w+)/(?P<name>\S+)(?: metric (?P<metric>.+))?")


@dataclass(frozen=True)
class Origins:
    """The files of a checkout, searched for the objects of what was built from them.

    Attributes:
        texts: text by file, relative to the checkout.
    """

    texts: Mapping[str, str]

    def traced(self, findings: Iterable[Finding], built: str, folder: str) -> list[Finding]:
        """The findings with the file and line that they come from; the overlay's kustomization where none is found.

        A line is the one with the same text, behind the metric's name where there is one; else the one with the same
        key; else the object's first.
        """
        lines = built.splitlines()
        return [self._trace(each, lines, folder) for each in findings]

    def _trace(self, finding: Finding, built: Sequence[str], folder: str) -> Finding:
        found = _OBJECT.fullmatch(finding.subject)
        wanted = built[finding.line - 1] if 0 < finding.line <= len(built) else ""
        places: list[tuple[int, str, int]] = []
        if found is not None:
            for file, text in self.texts.items():
                first = _object_at(text, found["kind"], found["name"])
                if first is not None:
                    exact, line = _line(text.splitlines(), first, found["metric"] or "", wanted)
                    places.append((exact, file, line))
        if not places:
            return replace(finding, file=f"{folder}/kustomization.yaml", line=1)
        # Patches bear the name of what they patch: the file that holds the line itself is the one.
        _, file, line = max(places, key=lambda place: place[0])
        return replace(finding, file=file, line=line + 1)


def _object_at(text: str, kind: str, name: str) -> int | None:
    """The first line, from 0, of the document that holds an object; None where the text does not hold it."""
    line = 0
    for part in re.split(r"(?m)^---.*$", text):
        named = re.search(rf"(?m)^metadata:\n(?:[ #].*\n|\n)*?  name: [\"']?{re.escape(name)}[\"']?\s*(?:#.*)?$", part)
        if named and re.search(rf"(?m)^kind: {re.escape(kind)}\s*$", part):
            return line
        line += part.count("\n")
    return None


def _line(lines: Sequence[str], first: int, metric: str, wanted: str) -> tuple[int, int]:
    """How exactly the wanted line is there (2 the same text, 1 the same key, 0 not), and where."""
    end = next((i for i in range(first + 1, len(lines)) if lines[i].startswith("---")), len(lines))
    begin = next((i for i in range(first, end) if metric and _plain(lines[i]) == f"name: {metric}"), first)
    plain = _plain(wanted)
    if not plain:
        return 0, begin
    here = {i: _plain(lines[i]) for i in range(begin, end)}
    key = f"{plain.partition(':')[0]}:"
    for exact, places in (
        (2, [i for i, line in here.items() if line == plain]),
        (1, [i for i, line in here.items() if line.startswith(key)]),
    ):
        if places:
            return exact, places[0]
    return 0, begin


def _plain(line: str) -> str:
    """A line without its indent, its dash, its comment and the quotes that Kustomize may add or take."""
    return re.sub(r"[\"']", "", re.sub(r"\s+#.*$", "", line).strip().removeprefix("- "))
