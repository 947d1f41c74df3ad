"""Rules on a canary's steps: asked too early, decisive only in the background, a mirror that nobody sets up."""

from collections.abc import Iterator

from pipelines.lint.canary import TEXTS, Choice, selects
from pipelines.lint.finding import Hit, Rule, Severity
from pipelines.lint.manifests import Manifests
from pipelines.lint.node import Node
from pipelines.lint.objects import Manifest, Metric, Use, Where
from pipelines.lint.timing import delay, exposed
from pipelines.lint.verdicts import Outcome, on_nothing, query

# Two scrapes of the 15 s that most set: rate() needs two samples, and targets take seconds to change.
SOONEST_SECONDS = 30
_OF_THE_CLUSTER = ("container_", "kube_", "process_", "node_", "up")
_GATEWAY_API = "argoproj-labs/gatewayAPI"


def _steps(owner: Manifest) -> list[Node]:
    return owner.spec("strategy", "canary", "steps").items


def _too_early(world: Manifests) -> Iterator[Hit]:
    for use in world.uses:
        metrics = [metric for metric in world.metrics_of(use) if metric.provider in ("prometheus", *TEXTS)]
        if use.where is Where.BEFORE:
            yield from _without_traffic(use, world, metrics)
            continue
        before, when = _exposure(use, world)
        early = [metric for metric in metrics if _is_early(metric, before)]
        if early:
            soonest = before + min(delay(metric) or 0.0 for metric in early)
            yield _hit(use, f"{_names(early)}: asked {soonest:g} s after {when}")


def _is_early(metric: Metric, before: float) -> bool:
    first = delay(metric)
    return first is not None and before + first < SOONEST_SECONDS and not _waits(metric)


def _names(metrics: list[Metric]) -> str:
    return ", ".join(dict.fromkeys(metric.name for metric in metrics))


def _hit(use: Use, message: str) -> Hit:
    return Hit(file=use.owner.file, node=use.node, subject=use.owner.subject, message=message)


def _exposure(use: Use, world: Manifests) -> tuple[float, str]:
    """How long the canary has had traffic when the analysis begins, and since what."""
    steps = _steps(use.owner)
    if use.where is Where.AFTER:
        return 0.0, "the switch"
    if use.where is Where.EXPERIMENT:
        return 0.0, "the experiment's pods are there"
    measured: dict[int, list[Metric]] = {}
    for other in world.uses:
        if other.owner is use.owner and other.step is not None:
            measured[other.step] = world.metrics_of(other)
    begins = use.step
    if begins is None:
        start = use.node.at("startingStep").value
        begins = start if isinstance(start, int) else 0
        # The step that it starts with is carried out as it starts.
        since = exposed(steps, begins, measured)
        return since or 0.0, "the rollout began" if since is None else "the first weight"
    since = exposed(steps, begins, measured)
    return since or 0.0, "the rollout began, before any setWeight" if since is None else "the first weight"


def _waits(metric: Metric) -> bool:
    """Whether an early answer does no harm: it is about the new pods alone, and none is waited for."""
    outcome = on_nothing(metric)
    patient = outcome is Outcome.INCONCLUSIVE and (metric.number("inconclusiveLimit", 0) or 0) > 0
    return selects(metric) is Choice.PODS and (patient or outcome is Outcome.SUCCESSFUL)


def _without_traffic(use: Use, world: Manifests, metrics: list[Metric]) -> Iterator[Hit]:
    if any(metric.provider in ("job", "web", "plugin") for metric in world.metrics_of(use)):
        return
    counting = list(filter(_counts_requests, metrics))
    if counting:
        yield _hit(use, f"{_names(counting)}: counts requests, which a preview gets none of before promotion")


def _counts_requests(metric: Metric) -> bool:
    found = query(metric)
    if found is None or not found.counted:
        return False
    names = [matcher.value for one in found.selectors for matcher in one if matcher.label == "__name__"]
    return not all(name.startswith(_OF_THE_CLUSTER) for name in names)


def _only_behind(world: Manifests) -> Iterator[Hit]:
    decided = {id(use.owner) for use in world.uses if use.where is Where.STEP or use.step is not None}
    for use in world.uses:
        if use.where is Where.BACKGROUND and id(use.owner) not in decided:
            yield _hit(use, "the only analysis runs in the background: the last step ends it, and its end is a success")


def _mirror(world: Manifests) -> Iterator[Hit]:
    for owner in world.of("Rollout"):
        routing = owner.spec("strategy", "canary", "trafficRouting")
        managed = {each.at("name").text for each in routing.at("managedRoutes").items}
        for step in _steps(owner):
            mirror = step.at("setMirrorRoute")
            message = _wrong_mirror(routing, managed, mirror) if mirror.present else ""
            if message:
                yield Hit(file=owner.file, node=mirror, subject=owner.subject, message=message)


def _wrong_mirror(routing: Node, managed: set[str], mirror: Node) -> str:
    if mirror.items:
        return "setMirrorRoute is a list: it must be one route"
    plugins = set(routing.at("plugins").fields)
    if not routing.at("istio").present and not plugins:
        there = ", ".join(key for key in routing.fields if key != "managedRoutes") or "no router"
        return f"setMirrorRoute with {there}: only Istio and plugins mirror, the controller refuses the Rollout"
    if not routing.at("istio").present and plugins == {_GATEWAY_API}:
        return f"setMirrorRoute with the plugin {_GATEWAY_API}: it answers success and mirrors nothing"
    if mirror.at("name").text not in managed:
        return f"route {mirror.at('name').text!r} is not among managedRoutes: the controller refuses the Rollout"
    return ""


RULES = (
    Rule(
        number="ML011",
        name="asks too early",
        severity=Severity.WARNING,
        reason="The first samples of a canary exist two scrapes after its first request; before, former pods answer.",
        remedy="pause before the analysis, or initialDelay of at least two scrape intervals",
        explain=f"""\
Reported below {SOONEST_SECONDS} s between the first setWeight and the first measurement: pauses, analyses before and
initialDelay are added up; a background analysis counts from its startingStep. On a real cluster a query by role, asked
6 s after the step, read the former pods and promoted a version that failed half of its requests. Not reported: a metric
that selects the pods by hash and treats no data as Inconclusive with an inconclusiveLimit above 0, for it waits. Also
reported: a prePromotionAnalysis that counts requests where no web or job metric of it sends any, since nobody calls a
preview.""",
        check=_too_early,
    ),
    Rule(
        number="ML012",
        name="decides only in the background",
        severity=Severity.WARNING,
        reason="A background analysis that has not failed yet is ended as Successful when the steps are over.",
        remedy="an analysis step before the weight rises; keep the background for what must abort at once",
        explain="""\
The rollout does not wait for it: with steps shorter than its first measurements, nothing was judged (analysis/
analysis.go: "we have yet to take a single measurement, but have already been instructed to stop": Successful). Not
reported where an analysis or an experiment is a step as well.""",
        check=_only_behind,
    ),
    Rule(
        number="ML025",
        name="mirror step without effect",
        severity=Severity.ERROR,
        reason="A gate on mirrored traffic judges nothing where nothing is mirrored.",
        remedy="Istio, or a plugin that mirrors; name the route in trafficRouting.managedRoutes",
        explain="""\
pkg/apis/rollouts/validation/validation.go refuses setMirrorRoute without Istio or a plugin, and a route that is not
managed. The built-in routers for ALB, NGINX, SMI, Ambassador, App Mesh, APISIX and Traefik return success and do
nothing (rollout/trafficrouting/*); so does the Gateway API plugin.""",
        check=_mirror,
    ),
)
