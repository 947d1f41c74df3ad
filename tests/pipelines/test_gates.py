"""The offline gates, one row for each way in which one passes, fails or cannot tell."""

import math
from dataclasses import replace

import pytest

from models.gates_spec import OfflineGates
from models.verdict import Verdict
from pipelines.gates import Comparison, Evidence, Gap, decide, overall, rows_to_decide
from pipelines.metrics import Interval

PASS, FAIL, OPEN = Verdict.PASS, Verdict.FAIL, Verdict.INCONCLUSIVE
NAN = math.nan


def _gates(metric: str = "rmse", **changes: object) -> OfflineGates:
    why = {"reason": "r"}
    declared: dict[str, object] = {
        "metric": metric,
        "limits": {"rmse": {"max": 65.0, **why}, "r2": {"min": 0.3, **why}}
        if metric == "rmse"
        else {metric: {"min": 0.8, **why}},
        "champion": {"margin": 1.0 if metric == "rmse" else 0.02, "unit": "u", **why},
        "calibration": {"max_error": 0.1, **why},
        "slice_gap": {"max": 15.0, **why},
        "bundle": {"max_bytes": 1000, **why},
        "parity": {"max_abs": 0.001, "max_label_mismatch": 0.0, **why},
        "validation": {"min_rows": 1, "leakage_max_score": 0.9, "max_missing_share": 0.5, **why},
    }
    return OfflineGates.model_validate({**declared, **changes})


def _at(value: float, low: float = NAN, high: float = NAN) -> Interval:
    return Interval(value, low, high)


def _gap(value: float, low: float, judged: int = 2) -> dict[str, Gap]:
    return {"sex": Gap(gap=_at(value, low, value + 1), worst="1", best="2", judged=judged)}


def _versus(value: float, low: float, high: float) -> Comparison:
    return Comparison(version="4", digest="d", difference=_at(value, low, high), identical=False)


GOOD = Evidence(
    task="regression",
    metrics={"rmse": _at(60), "r2": _at(0.5), "coverage": _at(0.9)},
    n_held_out=100,
    bundle_bytes=900,
    max_abs=1e-5,
    label_mismatch=0.0,
    champion=None,
    coverage=0.9,
    slices=_gap(10, 5),
)
CLASSES = replace(GOOD, task="classification", metrics={"accuracy": _at(0.9), "ece": _at(0.05)}, coverage=None)


def _metrics(**changes: float) -> Evidence:
    return replace(GOOD, metrics={**GOOD.metrics, **{name: _at(value) for name, value in changes.items()}})


@pytest.mark.parametrize(
    ("evidence", "gate", "verdict", "words"),
    [
        pytest.param(GOOD, "limits.rmse", PASS, "rmse is 60, must be at most 65", id="below a ceiling"),
        pytest.param(_metrics(rmse=65.1), "limits.rmse", FAIL, "must be at most 65", id="above a ceiling"),
        pytest.param(_metrics(r2=0.29), "limits.r2", FAIL, "must be at least 0.3", id="below a floor"),
        pytest.param(_metrics(rmse=NAN), "limits.rmse", OPEN, "was not measured", id="NaN metric"),
        pytest.param(replace(GOOD, metrics={}), "limits.r2", OPEN, "was not measured", id="missing metric"),
        pytest.param(GOOD, "champion", PASS, "no champion", id="no champion"),
        pytest.param(replace(GOOD, champion=_versus(-1, -3, 0.9)), "champion", PASS, "within 1", id="surely not worse"),
        pytest.param(replace(GOOD, champion=_versus(5, 1.1, 9)), "champion", FAIL, "beyond 1", id="surely worse"),
        pytest.param(replace(GOOD, champion=_versus(0, -3, 3)), "champion", OPEN, "about 900 held-out rows", id="open"),
        pytest.param(replace(GOOD, champion=_versus(1, -3, 3)), "champion", OPEN, "no number of rows", id="on margin"),
        pytest.param(replace(GOOD, champion=_versus(NAN, 0, 0)), "champion", OPEN, "no value", id="NaN difference"),
        pytest.param(replace(GOOD, champion=_versus(0, NAN, NAN)), "champion", OPEN, "no value", id="NaN interval"),
        pytest.param(
            replace(GOOD, champion=Comparison(version="4", digest="d", difference=None, identical=False, problem="gone")),  # noqa: E501
            "champion", OPEN, "gone", id="champion not measured",
        ),
        pytest.param(
            replace(GOOD, champion=Comparison(version="4", digest="d", difference=_at(0, 0, 0), identical=True)),
            "champion", FAIL, "identical to the champion", id="equal to the champion",
        ),
        pytest.param(_metrics(coverage=0.75), "calibration", PASS, "allowed off by", id="coverage off by noise"),
        pytest.param(_metrics(coverage=0.7), "calibration", FAIL, "coverage is 0.700", id="coverage off by more"),
        pytest.param(_metrics(coverage=NAN), "calibration", OPEN, "not measured", id="NaN coverage"),
        pytest.param(replace(GOOD, slices=_gap(16, 15.5)), "slice_gap.sex", FAIL, "above 15", id="gap surely too wide"),
        pytest.param(replace(GOOD, slices=_gap(16, 14)), "slice_gap.sex", OPEN, "could mislead", id="gap in doubt"),
        pytest.param(replace(GOOD, slices=_gap(NAN, NAN)), "slice_gap.sex", OPEN, "two are needed", id="NaN gap"),
        pytest.param(replace(GOOD, slices=_gap(1, 0, judged=1)), "slice_gap.sex", OPEN, "two are needed", id="lone"),
        pytest.param(replace(GOOD, slices={}), "slice_gap", OPEN, "no slice", id="no slices measured"),
        pytest.param(replace(GOOD, bundle_bytes=1001), "bundle", FAIL, "1001", id="bundle too large"),
        pytest.param(replace(GOOD, max_abs=0.002), "parity", FAIL, "0.002", id="graph off the estimator"),
        pytest.param(replace(GOOD, max_abs=NAN), "parity", OPEN, "not measured", id="NaN parity"),
    ],
)  # fmt: skip
def test_regression(evidence: Evidence, gate: str, verdict: Verdict, words: str) -> None:
    decision = decide(evidence, _gates())
    (result,) = [each for each in decision.results if each.gate == gate]
    assert (result.verdict, words in result.reason) == (verdict, True), result
    assert decision.verdict is verdict or verdict is PASS or decision.verdict is FAIL


@pytest.mark.parametrize(
    ("evidence", "gate", "verdict"),
    [
        pytest.param(CLASSES, "limits.accuracy", PASS, id="above a floor"),
        pytest.param(replace(CLASSES, metrics={"accuracy": _at(0.9), "ece": _at(0.2)}), "calibration", FAIL, id="ece"),
        pytest.param(replace(CLASSES, metrics={"accuracy": _at(0.9)}), "calibration", OPEN, id="no ece"),
        pytest.param(replace(CLASSES, label_mismatch=0.01), "parity_labels", FAIL, id="labels differ"),
        pytest.param(replace(CLASSES, label_mismatch=NAN), "parity_labels", OPEN, id="NaN label mismatch"),
        pytest.param(replace(CLASSES, champion=_versus(0.1, 0.05, 0.2)), "champion", PASS, id="higher is better"),
        pytest.param(replace(CLASSES, champion=_versus(-0.1, -0.2, -0.05)), "champion", FAIL, id="lower is worse"),
        pytest.param(replace(CLASSES, champion=_versus(-0.01, -0.05, 0.05)), "champion", OPEN, id="open"),
    ],
)
def test_classification(evidence: Evidence, gate: str, verdict: Verdict) -> None:
    results = {each.gate: each.verdict for each in decide(evidence, _gates("accuracy")).results}
    assert results[gate] is verdict


def test_all_gates_pass_for_good_evidence() -> None:
    decision = decide(GOOD, _gates())
    assert (decision.verdict, decision.reason()) == (PASS, "")


def test_reason_names_the_gates_that_decided() -> None:
    decision = decide(replace(GOOD, bundle_bytes=5000, max_abs=NAN), _gates())
    assert decision.reason() == "gate bundle fail: bytes is 5000"


@pytest.mark.parametrize(
    ("verdicts", "together"),
    [([PASS, PASS], PASS), ([PASS, OPEN], OPEN), ([OPEN, FAIL], FAIL), ([], OPEN)],
    ids=["all pass", "one open", "one fails", "none"],
)
def test_overall(verdicts: list[Verdict], together: Verdict) -> None:
    assert overall(verdicts) is together


def test_rows_to_decide_grow_with_the_square_of_the_width() -> None:
    assert rows_to_decide(_at(0, -2, 2), 1.0, 100) == 400
    assert rows_to_decide(_at(0, -4, 4), 1.0, 100) == 1600
