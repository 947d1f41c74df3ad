"""What goes wrong, in graded strengths, and what is good: from a seed to a scenario.

Damage is done to models (recipes), to data (recipes, drift) or to servers (behaviour), in units of its own: a share of
requests, seconds, bytes a second, a factor of a unit. None is defined by a statistic of the gates.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

import numpy as np

from pipelines.rehearsal.simulate import recipes
from pipelines.rehearsal.simulate.behaviour import Behaviour
from pipelines.rehearsal.simulate.captured import failing
from pipelines.rehearsal.simulate.load import Traffic
from pipelines.rehearsal.simulate.pool import population
from pipelines.rehearsal.simulate.scenario import Scenario

Change = Callable[[Scenario], Scenario]


@dataclass(frozen=True)
class Grade:
    """One kind of damage at one strength: `value` sorts and is compared with claims, `label` is for people."""

    kind: str
    value: float
    label: str
    apply: Change
    only: tuple[str, ...] = recipes.MODELS

    @property
    def good(self) -> bool:
        """Whether promoting it is right."""
        return self.kind in GOOD_KINDS


# What is seen by counting requests, and not by rows that the judge has to collect first.
SOON = ("errors", "slow", "sluggish", "rare rows")
USUAL_RATE = 20.0
# Faults that begin after so many requests of each pod, when a rollout's first gates have passed.
LATE_REQUESTS = 700
_LATE = ("late errors", "late slow")
GOOD_KINDS = ("identical", "retrained", "better", "drifted world", "quiet")
# Retrained for a world that moved so far, a model announces a difference within its limit. Beyond, it asks a person by
# design, who raises the limit: that is neither good nor bad.
_ADAPTED = {"diabetes": (0.25, 0.5), "iris": (), "property": recipes.DRIFTS}
# categories of property with 0.3 to 6 % of the rows
_RARE = (("neighborhood", "Greens"), ("neighborhood", "MeadowV"), ("building_type", "2fmCon"), ("central_air", "N"))


def _servers(**changes: float) -> Change:
    def change(scenario: Scenario) -> Scenario:
        return replace(scenario, candidate_servers=replace(scenario.candidate_servers, **changes))  # type: ignore[arg-type]

    return change


def _late_slow(share: float) -> Change:
    return _servers(slow_share=share, slow_seconds=0.3, sound_requests=LATE_REQUESTS)


def _crash_after(requests: int) -> Change:
    return lambda scenario: replace(
        scenario, candidate_servers=replace(scenario.candidate_servers, requests_before_crash=requests)
    )


def _versions(candidate: str, stable: str = "stable", drift: float = 0.0) -> Change:
    return lambda scenario: replace(scenario, candidate=candidate, stable=stable, drift=drift)


def _fails_on(feature: str, category: str) -> Change:
    def change(scenario: Scenario) -> Scenario:
        rows = population(scenario.model, 0.0)
        share = float(failing(scenario.model, (feature, category), rows).mean())
        servers = replace(scenario.candidate_servers, error_ratio=share)
        return replace(scenario, fails_on=(feature, category), candidate_servers=servers)

    return change


def _leak(bytes_per_second: float) -> Change:
    return _servers(leak_bytes_per_second=bytes_per_second)


def bad_grades() -> list[Grade]:
    """Every damage at every strength, weak to strong within a kind."""
    found = [
        Grade("errors", ratio, f"{ratio:.1%}", _servers(error_ratio=ratio))
        for ratio in (0.005, 0.01, 0.02, 0.05, 0.2, 0.5)
    ]
    found += [
        Grade("slow", share, f"{share:.1%} + 300 ms", _servers(slow_share=share, slow_seconds=0.3))
        for share in (0.005, 0.01, 0.02, 0.05, 0.2)
    ]
    found += [
        Grade("late errors", ratio, f"{ratio:.0%}", _servers(error_ratio=ratio, sound_requests=LATE_REQUESTS))
        for ratio in (0.01, 0.02, 0.05, 0.5)
    ]
    found += [Grade("late slow", s, f"{s:.0%} + 300 ms", _late_slow(s)) for s in (0.01, 0.02, 0.05, 0.2)]
    found += [
        Grade("sluggish", more, f"all + {more * 1000:.0f} ms", _servers(slow_share=1.0, slow_seconds=more))
        for more in (0.01, 0.03, 0.06, 0.1, 0.3)
    ]
    found += [Grade("leak", mb, f"{mb:g} MB/s", _leak(mb * 1e6)) for mb in (0.02, 0.1, 0.5, 2.0, 5.0)]
    found += [
        Grade("crashes", 60 / s, f"every {s} s", _servers(seconds_between_crashes=s)) for s in (1800, 600, 180, 60, 20)
    ]
    found.append(Grade("crashes", 10.0, "after 100", _crash_after(100)))
    found.append(Grade("never ready", 1.0, "never", _servers(ready_seconds=float("inf"))))
    found += [Grade("rare rows", _share(at), f"{_share(at):.1%}", _fails_on(*at), ("property",)) for at in _RARE]
    return found + _model_grades()


def _share(at: tuple[str, str]) -> float:
    return float(failing("property", at, population("property", 0.0)).mean())


def _model_grades() -> list[Grade]:
    found = [Grade("unit", f, f"factor {f:g}", _versions(f"unit-{f:g}")) for f in recipes.UNIT_FACTORS]
    found += [Grade("swapped", s, f"{s:.0%} of rows", _versions(f"swapped-{s:g}")) for s in recipes.SWAPPED_SHARES]
    found += [Grade("labels", s, f"{s:g} sd", _versions(f"labels-{s:g}")) for s in recipes.LABEL_SHIFTS]
    found += [Grade("flat", s, f"{s:.0%} constant", _versions(f"flat-{s:g}")) for s in recipes.SHRINKAGES]
    found += [Grade("overconfident", 1 / t, f"x {1 / t:g}", _versions(f"sharp-{t:g}")) for t in recipes.TEMPERATURES]
    found += [Grade("stale", d, f"{d:g} sd", _versions("stable", f"drifted-{d:g}", d)) for d in recipes.DRIFTS]
    return found


def good_grades() -> list[Grade]:
    """What has to be promoted; quiet traffic may wait for a person."""
    found = [Grade("identical", 0, "the same bundle", lambda scenario: scenario)]
    found += [Grade("retrained", 0, "on a bootstrap", _versions(f"bootstrap-{seed}")) for seed in recipes.BOOTSTRAPS]
    found += [Grade("better", 0, "other parameters", _versions(f"better-{number}")) for number in recipes.BETTER]
    for drift in recipes.DRIFTS:
        label, known = f"{drift:g} sd", tuple(model for model in recipes.MODELS if drift in _ADAPTED[model])
        for seed in recipes.BOOTSTRAPS[:3]:
            found.append(Grade("drifted world", drift, label, _versions(f"bootstrap-{seed}", "stable", drift)))
        if known:
            found.append(Grade("drifted world", drift, label, _versions(f"drifted-{drift:g}", "stable", drift), known))
    found += [Grade("quiet", rate, f"{rate:g} requests/s", _quiet(rate)) for rate in (0.05, 0.3)]
    return found


def _quiet(rate: float) -> Change:
    return lambda scenario: replace(scenario, traffic=Traffic(rate))


def scenario_of(grade: Grade, model: str, seed: int, *, rate: float | None = None) -> Scenario:
    """The grade in a world drawn from the seed: rate of traffic, latency and health of the servers."""
    chance = np.random.default_rng(seed)
    healthy = Behaviour(
        error_ratio=float(chance.uniform(0, 0.001)),
        median_seconds=float(np.exp(chance.uniform(np.log(0.0003), np.log(0.004)))),  # of one row to many
        ready_seconds=float(chance.uniform(3, 8)),
    )
    drawn = float(np.exp(chance.uniform(0, np.log(200))))
    rows = 1.0 if chance.random() < 0.7 else float(chance.uniform(1.5, 8))
    return grade.apply(
        Scenario(
            kind=grade.kind,
            strength=grade.label,
            value=grade.value,
            good=grade.good,
            model=model,
            stable_servers=healthy,
            candidate_servers=healthy,
            traffic=Traffic(rate or drawn, rows_per_request=rows, refused=float(chance.uniform(0, 0.01))),
            seed=seed,
        )
    )


def scenarios(count: int, seed: int) -> list[Scenario]:
    """Half good, half bad; kind, then strength, then model are drawn, each as likely as the others.

    Traffic is drawn from 1 to 200 requests a second. Every other one that fails or is slow has 20, for times to abort,
    and every one that does so late: with few enough it would begin after the end.
    """
    chance = np.random.default_rng(seed)
    found = []
    for index in range(count):
        grades = good_grades() if index % 2 else bad_grades()
        kinds: Mapping[str, list[Grade]] = _by_kind(grades)
        kind = list(kinds)[int(chance.integers(len(kinds)))]
        grade = kinds[kind][int(chance.integers(len(kinds[kind])))]
        model = grade.only[int(chance.integers(len(grade.only)))]
        usual = grade.kind in _LATE or (grade.kind in SOON and chance.random() < 0.5)
        rate = USUAL_RATE if usual else None
        found.append(scenario_of(grade, model, int(chance.integers(2**31)), rate=rate))
    return found


def _by_kind(grades: list[Grade]) -> dict[str, list[Grade]]:
    found: dict[str, list[Grade]] = {}
    for grade in grades:
        found.setdefault(grade.kind, []).append(grade)
    return found
