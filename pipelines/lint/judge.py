"""From texts to findings: what every entry (files, standard input, built overlays) calls. No I/O."""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from pipelines.lint.catalogue import RULES
from pipelines.lint.finding import Finding, Hit, Rule
from pipelines.lint.ignores import apply, in_annotations, in_comments
from pipelines.lint.manifests import Broken, Manifests
from pipelines.lint.node import Node, NotYaml, documents
from pipelines.lint.objects import ARGO, KINDS, Manifest

# Only documents that can hold one of our kinds are parsed: that is what makes a large repository quick.
_OURS = re.compile(rf"^(\ufeff)?[\"']?kind[\"']?\s*:\s*[\"']?({'|'.join((*KINDS, 'List'))})\b|^\s*[\[{{]", re.MULTILINE)
# A placeholder that is none of Rollouts' belongs to Helm or another engine, which has to be run first.
_ENGINE = re.compile(r"\{\{(?!\s*(args|templates|experiment|inputs|workflow)\.)|^\s*\{%", re.MULTILINE)
# In a document that is no YAML: one of the kinds that hold or use gates.
_GATES = re.compile(rf"[\"']?\bkind[\"']?\s*:\s*[\"']?({'|'.join(ARGO)})\b")
_BOUNDARY = re.compile(r"^---", re.MULTILINE)


@dataclass
class Report:
    """The findings of one run, sorted, and what was read for them.

    Attributes:
        findings: sorted by place.
        files: how many texts were read.
        objects: how many objects of the kinds that matter they held.
        templated: documents that have to go through Helm or another engine first, as file:line.
        unreadable: documents that are no YAML and name no kind that matters, as file:line: why.
        gates: the files that hold Rollouts, Experiments or templates, also broken ones.
    """

    findings: list[Finding] = field(default_factory=list)
    files: int = 0
    objects: int = 0
    templated: list[str] = field(default_factory=list)
    unreadable: list[str] = field(default_factory=list)
    gates: set[str] = field(default_factory=set)

    def add(self, other: "Report") -> None:
        """Takes over what another run found."""
        self.findings = sorted({*self.findings, *other.findings})
        self.files += other.files
        self.objects += other.objects
        self.templated += other.templated
        self.unreadable += other.unreadable
        self.gates |= other.gates


def judge(
    texts: Mapping[str, str],
    *,
    complete: bool = False,
    closed: Mapping[str, str] = MappingProxyType({}),
    rules: Iterable[Rule] = RULES,
) -> Report:
    """What the rules say of texts that belong together.

    Args:
        texts: YAML by the name of its file.
        complete: nothing can stand elsewhere, as in a built overlay.
        closed: files and folders that could not be read, with why.
        rules: those to ask; for tests.
    """
    report = Report(files=len(texts))
    objects: list[Manifest] = []
    broken = [Broken(file, 1, "file or folder", reason) for file, reason in closed.items()]
    for file, text in texts.items():
        objects += _objects(file, text, report, broken)
    world = Manifests(tuple(objects), complete, tuple(broken))
    report.objects = len(objects)
    report.gates = {each.file for each in world.of(*ARGO)} | {each.file for each in broken}
    findings = sorted({_finding(rule, hit) for rule in rules for hit in rule.check(world)})
    ignores = [ignore for file, text in texts.items() for ignore in in_comments(file, text)]
    report.findings = sorted(apply(findings, [*ignores, *in_annotations(objects)]))
    return report


def _finding(rule: Rule, hit: Hit) -> Finding:
    return Finding(
        file=hit.file,
        line=hit.node.line,
        rule=rule.number,
        severity=hit.severity or rule.severity,
        subject=hit.subject,
        message=hit.message,
        remedy=rule.remedy,
    )


def _objects(file: str, text: str, report: Report, broken: list[Broken]) -> Iterator[Manifest]:
    for before, part in _parts(text):
        if not _OURS.search(part):
            continue
        if _ENGINE.search(part):
            report.templated.append(f"{file}:{before + 1}")
            continue
        try:
            found = documents(part, before=before)
        except NotYaml as err:
            reason, named = " ".join(str(err).split()), _GATES.search(part)
            if named is None:
                report.unreadable.append(f"{file}:{before + 1}: {reason}")
            else:
                line = before + part.count("\n", 0, named.start()) + 1
                broken.append(Broken(file, line, named.group(1), reason))
            continue
        for node in found:
            for each in _flat(node):
                if each.at("kind").text in KINDS:
                    yield Manifest(file, each)


def _parts(text: str) -> Iterator[tuple[int, str]]:
    """The documents of a stream as text, each with the number of lines before it."""
    starts = [0, *(match.start() for match in _BOUNDARY.finditer(text) if match.start())]
    lines = 0
    for start, end in zip(starts, [*starts[1:], len(text)], strict=True):
        yield lines, text[start:end]
        lines += text.count("\n", start, end)


def _flat(node: Node) -> list[Node]:
    """The object, or those of a List."""
    return node.at("items").items if node.at("kind").text == "List" else [node]
