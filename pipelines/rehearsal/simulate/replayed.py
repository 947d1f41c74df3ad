"""Rows sent to preview and active in the simulated world: which answer, how soon, and what."""

import numpy as np
import numpy.typing as npt

from models.findings import Matrix
from pipelines.rehearsal.simulate.behaviour import Behaviour, latencies
from pipelines.rehearsal.simulate.captured import failing
from pipelines.rehearsal.simulate.pool import Version
from pipelines.rehearsal.simulate.scenario import Scenario
from services.drift.replay import Exchange, Reply
from services.drift.replaying import AT_ONCE, SEND_SECONDS

# That share the rows of a replay.
_PODS = 3


def exchanged(
    rows: Matrix, candidate: Version, stable: Version, scenario: Scenario, chance: np.random.Generator
) -> list[Exchange]:
    """Both replies to as many rows as the judge's time allows."""
    fails = None if scenario.fails_on is None else failing(scenario.model, scenario.fails_on, rows)
    ours = _replies(rows, candidate, scenario.candidate_servers, chance, fails)
    theirs = _replies(rows, stable, scenario.stable_servers, chance, None)
    found, spent = [], [0.0] * AT_ONCE
    for number, (our, their) in enumerate(zip(ours, theirs, strict=True)):
        if spent[number % AT_ONCE] > SEND_SECONDS:
            continue
        spent[number % AT_ONCE] += our.seconds + their.seconds
        twice = our.status >= 400 and (fails is not None or chance.random() < scenario.candidate_servers.error_ratio)
        found.append(Exchange(number, our, their, again=twice))
    return found


def _replies(
    rows: Matrix, of: Version, how: Behaviour, chance: np.random.Generator, fails: npt.NDArray[np.bool_] | None
) -> list[Reply]:
    how = how.after(len(rows) // _PODS)
    seconds = latencies(how, len(rows), 15.0, chance, cold=False)
    answers = of.predictor.answers(of.predictor.predict(rows))
    failed = chance.random(len(rows)) < how.error_ratio if fails is None else fails
    if how.requests_before_crash:
        failed = failed | (np.arange(len(rows)) >= how.requests_before_crash)
    digest = str(of.bundle.digest)
    return [
        Reply(500, float(took), digest) if bad else Reply(200, float(took), digest, said)
        for took, bad, said in zip(seconds, failed, answers, strict=True)
    ]
