"""Rule on values that are of another kind than the resource definitions ask for, and on gates with nothing in them."""

from collections.abc import Iterator

from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.node import Node
from pipelines.lint.objects import ARGO, TEMPLATES, UNFILLED, Manifest
from pipelines.lint.shapes import EXPERIMENT, ROLLOUT, TEMPLATE, Shape, wrong

_SHAPES: dict[str, Shape] = {"Rollout": ROLLOUT, "Experiment": EXPERIMENT, **dict.fromkeys(TEMPLATES, TEMPLATE)}


def _nonsense(world: Manifests) -> Iterator[Hit]:
    for owner in world.of(*ARGO):
        for node, message in wrong(owner.spec(), _SHAPES[owner.kind], "spec"):
            if world.complete or node.text != UNFILLED:
                yield _hit(owner, node, message)
        for node, message in _nothing(owner, complete=world.complete):
            yield _hit(owner, node, message)
        if not owner.spec() and not owner.node.at("$patch"):
            # It may be a patch of an object that stands elsewhere.
            yield _hit(owner, owner.spec(), "there is no spec", None if world.complete else Severity.NOTE)


def _nothing(owner: Manifest, *, complete: bool) -> Iterator[tuple[Node, str]]:
    """The places where a gate should be and nothing is."""
    spec = owner.spec()
    if owner.kind in TEMPLATES and spec.fields:
        empty = not spec.at("metrics").items and not spec.at("templates").items
        if empty and (complete or isinstance(spec.at("metrics").value, list)):
            yield spec.at("metrics"), "no metric and no template: it judges nothing"
    for index, step in enumerate(owner.spec("strategy", "canary", "steps").items):
        node = step.at("analysis")
        # One that is no mapping is said above.
        if node.present and node.value in (None, {}):
            yield node, f"spec.strategy.canary.steps[{index}].analysis names no template: it judges nothing"
    for path in (("canary", "analysis"), ("blueGreen", "prePromotionAnalysis"), ("blueGreen", "postPromotionAnalysis")):
        node = owner.spec("strategy", *path)
        if node.value == {}:
            yield node, f"spec.strategy.{'.'.join(path)} names no template: it judges nothing"


def _hit(owner: Manifest, node: Node, message: str, severity: Severity | None = None) -> Hit:
    return Hit(file=owner.file, node=node, subject=owner.subject, message=message, severity=severity)


RULES = (
    Rule(
        number="ML036",
        name="no such structure",
        severity=Severity.ERROR,
        reason="A gate that is written as something else is refused by the API server, or is no gate.",
        remedy="write the value as the resource definition has it: metrics and templates are lists, setWeight a number",
        explain="""\
The types in manifests/crds of the fields around gates: a text where a list must be, a word where a number must be, an
unquoted `true` as a condition. The other rules see nothing in such a value, so their silence says nothing. Also an
analysis that names no template and a template without metrics. Not reported: what is missing or null where only files
were read, for it may be a patch; an object without a spec is a note there, and an error in a built overlay.""",
        check=_nonsense,
    ),
)
