"""iris: the declared parameters pass every gate, worse ones and shuffled labels do not."""

from models.verdict import Verdict
from tests.models.shipped.conftest import Try


def test_declared_iris_opens_every_gate(attempt: Try) -> None:
    trial = attempt("iris")
    assert trial.report.verdict is Verdict.PASS, trial.report.reason()
    assert trial.closed == set()
    assert trial.metric("accuracy") >= 0.85


def test_penalty_that_flattens_iris_is_stopped_by_a_metric(attempt: Try) -> None:
    trial = attempt("iris", {"C": 0.00001})
    assert trial.report.verdict is Verdict.PASS
    assert any("accuracy" in gate for gate in trial.closed)


def test_iris_with_shuffled_labels_is_stopped(attempt: Try) -> None:
    trial = attempt("iris", shuffled=True)
    assert any("accuracy" in gate for gate in trial.closed)
