"""A Rollout's YAML to the plan that the machine walks, with every analysis resolved; the rest is refused by its name.

Covered: canary with setWeight, pause, inline analysis and a background analysis; blue-green with pre- and
post-promotion analysis, autoPromotionEnabled, autoPromotionSeconds, previewReplicaCount; minReadySeconds,
progressDeadlineSeconds and progressDeadlineAbort. Fields that change nothing of how a rollout ends (services, labels,
history, delays of scaling down) are read past.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from models.errors import ConfigError
from pipelines.rehearsal.duration import pause_seconds
from pipelines.rehearsal.errors import Unsupported
from pipelines.rehearsal.metric import Metric
from pipelines.rehearsal.references import passed_arguments
from pipelines.rehearsal.replicas import surge_and_unavailable
from pipelines.rehearsal.template import Document, resolve, template_names

_SPEC = frozenset((
    "replicas", "selector", "template", "minReadySeconds", "rollbackWindow", "strategy", "revisionHistoryLimit",
    "progressDeadlineSeconds", "progressDeadlineAbort", "analysis",
))  # fmt: skip
_CANARY = frozenset((
    "canaryService", "stableService", "steps", "trafficRouting", "maxSurge", "maxUnavailable", "analysis",
    "antiAffinity", "canaryMetadata", "stableMetadata", "scaleDownDelaySeconds", "scaleDownDelayRevisionLimit",
    "abortScaleDownDelaySeconds",
))  # fmt: skip
_BLUE_GREEN = frozenset((
    "activeService", "previewService", "previewReplicaCount", "autoPromotionEnabled", "autoPromotionSeconds",
    "maxUnavailable", "scaleDownDelaySeconds", "scaleDownDelayRevisionLimit", "prePromotionAnalysis",
    "postPromotionAnalysis", "antiAffinity", "previewMetadata", "activeMetadata", "abortScaleDownDelaySeconds",
))  # fmt: skip
_ANALYSIS = frozenset((
    "templates", "args", "dryRun", "measurementRetention", "analysisRunMetadata", "startingStep",
))  # fmt: skip


@dataclass(frozen=True)
class Analysis:
    """An analysis to be run: its templates' names as its label, and its metrics."""

    label: str
    metrics: tuple[Metric, ...]


@dataclass(frozen=True)
class SetWeight:
    """Give the candidate so many percent."""

    weight: int

    @property
    def label(self) -> str:
        """As the live view shows it."""
        return f"setWeight {self.weight}"


@dataclass(frozen=True)
class Pause:
    """Wait; None waits for a person."""

    seconds: float | None

    @property
    def label(self) -> str:
        """As the live view shows it."""
        return "pause" if self.seconds is None else f"pause {self.seconds:g}s"


@dataclass(frozen=True)
class Inline:
    """Run an analysis to its end."""

    analysis: Analysis

    @property
    def label(self) -> str:
        """As the live view shows it."""
        return f"analysis {self.analysis.label}"


Step = SetWeight | Pause | Inline


@dataclass(frozen=True, kw_only=True)
class Pods:
    """How many pods there are and when they count."""

    replicas: int
    surge: int
    unavailable: int
    min_ready_seconds: float
    deadline_seconds: float
    deadline_aborts: bool


@dataclass(frozen=True, kw_only=True)
class CanaryPlan:
    """A canary: its steps, and the analysis beside them from `starting_step` on."""

    pods: Pods
    steps: tuple[Step, ...]
    background: Analysis | None = None
    starting_step: int = 0
    routed: bool = False


@dataclass(frozen=True, kw_only=True)
class BlueGreenPlan:
    """A blue-green switch: analyses before and after it, and who lets it happen."""

    pods: Pods
    preview_replicas: int
    before: Analysis | None = None
    after: Analysis | None = None
    automatic: bool = True
    automatic_after_seconds: float = 0.0


Plan = CanaryPlan | BlueGreenPlan


@dataclass(frozen=True, kw_only=True)
class Given:
    """What a plan is made with besides the Rollout.

    Attributes:
        templates: all AnalysisTemplates, by name.
        candidate_hash: pod-template hash for `podTemplateHashValue: Latest`.
        stable_hash: for `podTemplateHashValue: Stable`.
        overrides: argument values by name that win over the Rollout's and the templates'.
        replicas: pods where an autoscaler owns the number and the Rollout has none.
    """

    templates: Mapping[str, Document]
    candidate_hash: str = "candidate"
    stable_hash: str = "stable"
    overrides: Mapping[str, str] = field(default_factory=dict)
    replicas: int | None = None


def read(rollout: Document, given: Given) -> Plan:
    """The plan of a Rollout.

    Raises:
        ConfigError: a field is wrong, a template or an argument is missing.
        Unsupported: something is not covered.
    """
    spec = rollout["spec"]
    _covered(spec, _SPEC, "Rollout: spec")
    strategy = spec.get("strategy") or {}
    if set(strategy) == {"canary"}:
        return _canary(rollout, strategy["canary"] or {}, given)
    if set(strategy) == {"blueGreen"}:
        return _blue_green(rollout, strategy["blueGreen"] or {}, given)
    raise ConfigError([f"Rollout: strategy names {', '.join(strategy) or 'nothing'}, must be canary or blueGreen"])


def unchanged(stable: Document, candidate: Document) -> bool:
    """Whether both have the same pod template, so that Argo Rollouts would roll out nothing."""
    return bool(stable["spec"]["template"] == candidate["spec"]["template"])


def _pods(spec: Document, strategy: Document, given: Given) -> Pods:
    replicas = spec.get("replicas", given.replicas if given.replicas is not None else 1)
    surge, unavailable = surge_and_unavailable(
        strategy.get("maxSurge", "25%"), strategy.get("maxUnavailable", "25%"), replicas
    )
    return Pods(
        replicas=replicas,
        surge=surge,
        unavailable=unavailable,
        min_ready_seconds=float(spec.get("minReadySeconds") or 0),
        deadline_seconds=float(spec.get("progressDeadlineSeconds") or 600),
        deadline_aborts=bool(spec.get("progressDeadlineAbort")),
    )


def _canary(rollout: Document, canary: Document, given: Given) -> CanaryPlan:
    _covered(canary, _CANARY, "Rollout: canary")
    routing = canary.get("trafficRouting")
    if routing and "maxTrafficWeight" in routing:
        raise Unsupported(["Rollout: canary.trafficRouting.maxTrafficWeight is not covered"])
    steps = tuple(
        _step(each, f"Rollout: steps[{index}]", rollout, given) for index, each in enumerate(canary.get("steps") or ())
    )
    background = canary.get("analysis")
    return CanaryPlan(
        pods=_pods(rollout["spec"], canary, given),
        steps=steps,
        background=_analysis(background, "Rollout: canary.analysis", rollout, given, ends=False),
        starting_step=int((background or {}).get("startingStep") or 0),
        routed=bool(routing),
    )


def _step(step: Document, where: str, rollout: Document, given: Given) -> Step:
    if len(step) != 1:
        raise ConfigError([f"{where}: names {', '.join(step) or 'nothing'}, must be one step"])
    (name, value), *_ = step.items()
    if name == "setWeight":
        if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value <= 100:
            raise ConfigError([f"{where}.setWeight: got {value!r}, must be 0 to 100"])
        return SetWeight(value)
    if name == "pause":
        if value is None:  # the API server takes no null
            raise ConfigError([f"{where}.pause: got nothing, must be an object; pause: {{}} waits for a person"])
        duration = value.get("duration")
        return Pause(None if duration is None else pause_seconds(duration, f"{where}.pause.duration"))
    if name == "analysis":
        analysis = _analysis(value, f"{where}.analysis", rollout, given)
        if analysis is None:
            raise ConfigError([f"{where}.analysis: names no template, would wait for ever"])
        return Inline(analysis)
    raise Unsupported([f"{where}: {name} is not covered, only setWeight, pause and analysis"])


def _blue_green(rollout: Document, blue_green: Document, given: Given) -> BlueGreenPlan:
    _covered(blue_green, _BLUE_GREEN, "Rollout: blueGreen")
    pods = _pods(rollout["spec"], {"maxSurge": 0, "maxUnavailable": blue_green.get("maxUnavailable", 0)}, given)
    automatic = blue_green.get("autoPromotionEnabled")
    return BlueGreenPlan(
        pods=pods,
        preview_replicas=int(blue_green.get("previewReplicaCount") or pods.replicas),
        before=_analysis(blue_green.get("prePromotionAnalysis"), "Rollout: prePromotionAnalysis", rollout, given),
        after=_analysis(blue_green.get("postPromotionAnalysis"), "Rollout: postPromotionAnalysis", rollout, given),
        automatic=automatic is None or bool(automatic),
        automatic_after_seconds=float(blue_green.get("autoPromotionSeconds") or 0),
    )


def _analysis(fields: Any, where: str, rollout: Document, given: Given, *, ends: bool = True) -> Analysis | None:
    if not fields or not fields.get("templates"):
        return None
    _covered(fields, _ANALYSIS, where)
    names = template_names(fields["templates"], where)
    hashes = {"Latest": given.candidate_hash, "Stable": given.stable_hash}
    arguments = passed_arguments(fields.get("args") or (), rollout, hashes, where)
    dry_run = [each["metricName"] for each in fields.get("dryRun") or ()]
    metrics = resolve(names, given.templates, arguments, overrides=given.overrides, dry_run=dry_run, ends=ends)
    return Analysis(", ".join(names), metrics)


def _covered(fields: Document, known: frozenset[str], where: str) -> None:
    unknown = sorted(fields.keys() - known)
    if unknown:
        raise Unsupported([f"{where}.{name} is not covered" for name in unknown])
