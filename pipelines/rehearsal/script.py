"""What is to be played: the plan of the built Rollout, with the rehearsal's addresses, and its metrics by name."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from pipelines.build import Object, rollout
from pipelines.rehearsal.metric import Metric
from pipelines.rehearsal.revisions import fewest_replicas, strategy
from pipelines.rehearsal.rollout import Analysis, BlueGreenPlan, Given, Inline, Plan, read
from pipelines.rehearsal.scene import Scene
from pipelines.rehearsal.template import templates_in


@dataclass(frozen=True)
class Script:
    """A plan and what is told about it.

    Attributes:
        plan: what the step machine walks.
        strategy: `canary` or `blue-green`.
        steps: how many there are.
        metrics: of all analyses, by name.
    """

    plan: Plan
    strategy: str
    steps: int
    metrics: Mapping[str, Metric]

    @classmethod
    def of(cls, built: Sequence[Object], scene: Scene) -> "Script":
        """The script of an overlay that was built for rehearsing.

        Raises:
            ConfigError: the Rollout or a template is wrong.
            Unsupported: one uses what a rehearsal does not cover.
        """
        given = Given(
            templates=templates_in(built),
            candidate_hash=scene.revisions["candidate"].hash,
            stable_hash=scene.revisions["stable"].hash,
            overrides=scene.overrides,
            replicas=fewest_replicas(built),
        )
        plan = read(rollout(built), given)
        metrics = {metric.name: metric for analysis in _analyses(plan) for metric in analysis.metrics}
        steps = 0 if isinstance(plan, BlueGreenPlan) else len(plan.steps)
        return cls(plan, strategy(built), steps, metrics)


def _analyses(plan: Plan) -> list[Analysis]:
    if isinstance(plan, BlueGreenPlan):
        found = [plan.before, plan.after]
    else:
        found = [plan.background, *(step.analysis for step in plan.steps if isinstance(step, Inline))]
    return [analysis for analysis in found if analysis is not None]
