"""Rule on what should have been judged and was not."""

from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.node import Node


def _unread(world: Manifests) -> Iterator[Hit]:
    for each in world.broken:
        yield Hit(file=each.file, node=Node(None, each.line), subject=each.subject, message=each.reason)


RULES = (
    Rule(
        number="ML037",
        name="not read",
        severity=Severity.ERROR,
        reason="What was not read was not judged, and is no clean gate.",
        remedy="correct the YAML, or let it be read",
        explain="""\
Documents that name a Rollout, an Experiment, an AnalysisTemplate or a ClusterAnalysisTemplate and are no YAML, or nest
or repeat too much for a manifest; files and folders that the system does not let be read. Not reported: broken
documents of other kinds, files that are no text, and templates of Helm and other engines, which the summary counts.""",
        check=_unread,
    ),
)
