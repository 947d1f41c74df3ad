"""Does the candidate answer as announced, where masked features leave no row that stable could answer again?

A pure decision over two sets of answers, the candidate's and stable's of the same time. It sees less than the paired
one: shifts that cancel out between rows stay hidden, which the answer says.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from models.verdict import Verdict
from services.drift.answers import Answers
from services.drift.comparison import compare
from services.drift.judgement import Judgement, State, undecided
from services.drift.outputs import decided, finding
from services.drift.pairs import Pairs, PredictionLimits, lack, units_of

METHOD = (
    "Masked features: no row can be answered again, so the answers of two windows are compared, not pairs.",
    "Beyond announced: Evidently wasserstein between the two windows' answers is above the announced mean difference "
    "by more than the limit, and Evidently ks (exact) is below alpha / number of outputs.",
    "What cancels out between rows stays hidden here; what was announced is compared pair by pair all the same.",
)
UNSEEN = "whether the server tells what its own bundle says cannot be seen on masked rows: only errors above show it"


def judge_unpaired(
    candidate: Answers,
    stable: Answers,
    announced: Pairs,
    limits: PredictionLimits,
    *,
    n_rows: int,
    masked: Sequence[str],
) -> Judgement:
    """The judgement on two sets of answers, each distinct one once.

    Args:
        candidate, stable: finite or not, captured in the same time.
        announced: the candidate's answers to its held-out rows, and stable's graph on them.
        limits: of the gate.
        n_rows: captured rows of the candidate, repetitions and all.
        masked: features that are not captured.
    """
    rows = {
        "candidate": n_rows,
        "candidate_distinct": len(candidate),
        "stable_distinct": len(stable),
        "announced": len(announced.candidate),
    }
    few = lack(rows, limits)
    if few or len(stable) < limits.min_distinct_rows:
        return undecided(few or f"{len(stable)} distinct answers of stable in the window", rows=rows)
    silent = len(candidate) - int(candidate.whole.sum())
    if silent:
        reason = f"{silent} of {len(candidate)} answers of the candidate are not finite numbers"
        return Judgement(verdict=Verdict.FAIL, reason=reason, rows=rows, method=METHOD)
    announced = announced.whole()
    units = units_of(announced.stable)
    level = limits.alpha / len(units)
    expected = announced.difference / units
    former = stable.at(stable.whole)
    findings = []
    for column, name in enumerate(candidate.names):
        # the announced differences stand for the live ones; what the windows say replaces distance and p-value
        found = finding(name, expected[:, column], expected[:, column], limits, level, world=False)
        moved = compare(
            former.values[:, column] / units[column], candidate.values[:, column] / units[column], category=False
        )
        spread = float(np.std(former.values[:, column])) / units[column]
        beyond = moved.distance * spread - float(np.mean(np.abs(expected[:, column]))) if spread else moved.distance
        found = replace(found, p_value=moved.p_value, distance=max(0.0, beyond), method=moved.method)
        if found.state is State.STEADY and moved.p_value < level and beyond > limits.max_beyond_announced:
            text = f"{name}: the windows' answers are {beyond:.2g} further apart than announced"
            found = replace(found, state=State.OWN, text=text, remedy="Compare it with stable on rows that you know.")
        findings.append(found)
    judged = decided(findings, rows, {}, METHOD)
    told = f"masked, so not paired: {', '.join(sorted(masked))}"
    return replace(judged, warnings=(*judged.warnings, told, UNSEEN))
