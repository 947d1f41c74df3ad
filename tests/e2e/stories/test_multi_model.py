"""Two models are released by two merges at the same time: each rolls out in its namespace, by its own gates."""

import pytest

from tests.e2e.callers import Callers
from tests.e2e.figures import Figures
from tests.e2e.releasing import Releases
from tests.e2e.watch import Watch

pytestmark = pytest.mark.full
MODELS = ("diabetes", "iris")


def test_two_models_roll_out_at_once(releases: Releases, callers: Callers, figures: Figures) -> None:
    stable = {model: releases.stable(f"{model}-stable") for model in MODELS}
    better = {model: releases.register(f"{model}-better") for model in MODELS}
    watches = {model: Watch(f"multi-model {model}", releases, callers.start(model), figures) for model in MODELS}

    released = {model: releases.merge(better[model]) for model in MODELS}
    hashes = {model: watches[model].promoted(released[model]).current for model in MODELS}

    for model in MODELS:
        rollout = releases.rollout(model)
        assert {run.phase for run in rollout.runs(hashes[model])} == {"Successful"}
        seen = watches[model].nothing_lost()
        assert set(seen.answered) == {
            (each.release.version, each.digest) for each in (stable[model], released[model])
        }, f"{model} was answered by others: {seen}"
