"""Which cases are played how, and which cannot be compared, each with its reason."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, replace

from tests.e2e.conformance import manifests, ours, passing, table
from tests.e2e.conformance.answers import Answer, read, scripted
from tests.e2e.conformance.manifests import Object
from tests.e2e.conformance.play import Programme
from tests.e2e.conformance.seen import Rolled
from tests.e2e.conformance.table import Case, Row

# Many metrics in one AnalysisRun are all measured once before the first bad one ends it.
_TOGETHER = 60
LATER_SECONDS = 4.0


@dataclass(frozen=True, kw_only=True)
class Tables:
    """The three tables.

    Attributes:
        conditions: rows of expressions.yaml by the name of their metric.
        readings: rows of answers.yaml by the name of their metric.
        left_out: rows that cannot be compared, with the reason.
    """

    analyses: Sequence[Case]
    rollouts: Sequence[Case]
    conditions: Mapping[str, Row]
    readings: Mapping[str, Row]
    left_out: Mapping[str, str]

    @classmethod
    def read(cls, factors: Sequence[int] = table.FACTORS) -> "Tables":
        """As they are now, their durations divided by one of these factors."""
        analyses = table.shortest("a", table.analyses(), _analysis_agrees, factors=factors)
        rollouts = table.shortest("r", table.rollouts(), _rollout_agrees, factors=factors)
        left_out, conditions = {}, {}
        for index, row in enumerate(table.expressions()):
            if row["if"]:
                conditions[f"e{index:03d}"] = row
            else:
                left_out[f"the condition {row['if']!r}"] = "to the controller an empty condition is none at all"
        for case in rollouts:
            if (why := ours.rollout(case).refused).startswith(ours.NOT_COVERED):
                left_out[case.name] = f"a rehearsal refuses what a cluster takes: {why}"
        return cls(
            analyses=analyses,
            rollouts=[case for case in rollouts if case.name not in left_out],
            conditions=conditions,
            readings={f"w{index:03d}": row for index, row in enumerate(table.answers())},
            left_out=left_out,
        )

    def only(self, keys: Collection[str]) -> "Tables":
        """Some cases, and nothing of what takes no time."""
        analyses = [each for each in self.analyses if each.key in keys]
        rollouts = [each for each in self.rollouts if each.key in keys]
        return replace(self, analyses=analyses, rollouts=rollouts, conditions={}, readings={})

    def script(self) -> dict[str, list[Answer]]:
        """Every answer by its path."""
        found: dict[str, list[Answer]] = {}
        for case in (*self.analyses, *self.rollouts):
            found |= case.answers()
        found |= {f"/{key}/{key}": [scripted(row["of"], row["result"])] for key, row in self.conditions.items()}
        found |= {f"/{key}": [(row.get("status", 200), row["body"])] for key, row in self.readings.items()}
        return found | {passing.PATH: [scripted("scalar", 1.0)]}

    def programme(self, address: str) -> Programme:
        """What is to be played, the answers being at `address`."""
        metrics = [
            manifests.metric(
                Case(key=key, name=key, row=row), address, {"name": key, "of": row["of"], "successCondition": row["if"]}
            )
            for key, row in self.conditions.items()
        ]
        return Programme(
            runs=[case for case in self.analyses if not _by_rollout(case)],
            asking=[case for case in self.analyses if _by_rollout(case)],
            rollouts=self.rollouts,
            once=_together(metrics) | _together([_reading(key, row, address) for key, row in self.readings.items()]),
            arguments=passing.Passing.read(address),
        )


def condition(row: Row) -> str:
    """The phase of a measurement with this condition, by the rehearsal's engine; why, where it refuses the row."""
    return ours.condition(row["if"], read(row["of"], scripted(row["of"], row["result"])))


def _together(metrics: Sequence[Object]) -> dict[str, list[Object]]:
    """Metrics by the name of the AnalysisRun that has them."""
    parts = [list(metrics[begin : begin + _TOGETHER]) for begin in range(0, len(metrics), _TOGETHER)]
    return {f"of-{part[0]['name']}": part for part in parts}


def _reading(key: str, row: Row, address: str) -> Object:
    web = {"url": f"{address}/{key}", "jsonPath": row["path"]}
    return {"name": key, "provider": {"web": web}, "consecutiveErrorLimit": 0}


def _by_rollout(case: Case) -> bool:
    """Arguments are put together by the Rollout that asks; an AnalysisRun has only their values."""
    return "args" in case.row or "arguments" in case.row or "{{" in str(case.row["metrics"])


def _analysis_agrees(case: Case) -> bool:
    found, row = ours.analysis(case), case.row
    if "refused" in row:
        return str(row["refused"]) in found.refused
    return found.phases == row["phases"] and found.run == str(row["run"])


def _rollout_agrees(case: Case) -> bool:
    """As the table says, and also where pods are ready later, as on a busy cluster they are."""
    return all(_says(case.row, ours.rollout(case, later=later)) for later in (0.0, LATER_SECONDS))


def _says(row: Row, found: Rolled) -> bool:
    if "refused" in row:
        return str(row["refused"]) in found.refused
    same = {"step": found.step, "verdicts": found.verdicts, "share": found.share}
    return found.ending == row["ending"] and all(row.get(name, value) == value for name, value in same.items())
