"""digits: trains, opens its gates, and a killed training ends where an uninterrupted one does."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest

from models.digits.train import fit
from models.spec import load_spec
from models.verdict import Verdict
from pipelines.checkpoint import Checkpoint
from tests.models.shipped.conftest import ROOT, Try

pytestmark = pytest.mark.torch
torch = pytest.importorskip("torch", reason="digits trains with torch, which has a lock of its own: make test-torch")

PARAMETERS = {**load_spec(ROOT / "models" / "digits").parameters, "epochs": 4, "checkpoint_every": 1, "channels": 4}


class Killed(BaseException):
    """What ends the training in here, uncaught as a signal is."""


class Dying:
    """A checkpoint store whose process dies right after the `n`-th state was saved."""

    def __init__(self, inner: Checkpoint, n: int) -> None:
        self.inner, self.left = inner, n

    def load(self) -> bytes | None:
        return self.inner.load()

    def save(self, state: bytes) -> None:
        self.inner.save(state)
        self.left -= 1
        if self.left == 0:
            raise Killed


@pytest.fixture
def images() -> pd.DataFrame:
    rng = np.random.default_rng(0)
    frame = pd.DataFrame(rng.integers(0, 17, size=(200, 64)).astype("float32")).rename(columns=str)
    frame["label"] = [str(label) for label in rng.integers(0, 10, size=200)]
    return frame


def weights(module: Any) -> dict[str, np.ndarray]:
    return {name: value.numpy() for name, value in module.state_dict().items()}


@pytest.mark.parametrize("saved", [1, 3, 4], ids=["after the first epoch", "before the last", "after the last"])
def test_killed_training_ends_with_the_weights_of_an_uninterrupted_one(
    saved: int, images: pd.DataFrame, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    whole = weights(fit(images, PARAMETERS))
    checkpoint = Checkpoint(f"file://{tmp_path}/states", "digits-key")
    with pytest.raises(Killed):
        fit(images, PARAMETERS, Dying(checkpoint, saved))
    capsys.readouterr()
    resumed = weights(fit(images, PARAMETERS, checkpoint))
    assert f"resumed after epoch {saved}" in capsys.readouterr().out
    assert all(np.array_equal(whole[name], resumed[name]) for name in whole)


def test_another_training_does_not_resume_from_this_one(images: pd.DataFrame, tmp_path: Path) -> None:
    fit(images, PARAMETERS, Checkpoint(f"file://{tmp_path}/states", "digits-one"))
    assert Checkpoint(f"file://{tmp_path}/states", "digits-two").load() is None


def test_declared_digits_opens_every_gate(attempt: Try) -> None:
    trial = attempt("digits")
    assert trial.report.verdict is Verdict.PASS, trial.report.reason()
    assert trial.closed == set()
    assert trial.metric("accuracy") >= 0.97


def test_training_leaves_the_caller_its_random_numbers(images: pd.DataFrame) -> None:
    draw: Callable[[], float] = lambda: float(torch.rand(1))  # noqa: E731
    torch.manual_seed(7)
    alone = draw()
    torch.manual_seed(7)
    fit(images, PARAMETERS)
    assert draw() == alone
