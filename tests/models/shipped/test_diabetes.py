"""diabetes: declared, better, crippled and shuffled."""

from models.verdict import Verdict
from tests.models.shipped.conftest import Try


def test_declared_diabetes_opens_every_gate(attempt: Try) -> None:
    trial = attempt("diabetes")
    assert trial.report.verdict is Verdict.PASS, trial.report.reason()
    assert trial.closed == set()


def test_weaker_penalty_is_a_better_diabetes(attempt: Try) -> None:
    declared, weaker = attempt("diabetes", name="declared"), attempt("diabetes", {"alpha": 10.0}, name="weaker")
    assert weaker.closed == set()
    assert weaker.metric("rmse") < declared.metric("rmse") - 2


def test_penalty_that_cripples_diabetes_is_stopped_by_metrics(attempt: Try) -> None:
    trial = attempt("diabetes", {"alpha": 100_000.0})
    assert trial.report.verdict is Verdict.PASS, "nothing is wrong with its data"
    assert {"rmse", "r2"} <= {metric for metric in ("rmse", "r2") for gate in trial.closed if metric in gate}


def test_diabetes_with_shuffled_labels_is_stopped(attempt: Try) -> None:
    trial = attempt("diabetes", shuffled=True)
    assert {"rmse", "r2"} <= {metric for metric in ("rmse", "r2") for gate in trial.closed if metric in gate}
