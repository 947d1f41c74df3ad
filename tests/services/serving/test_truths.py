"""Documents of feedback: what is taken, and which rule everything else breaks."""

import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from models.manifest import Manifest, Output
from models.spec import Serving
from services.problems import Kind, Problem
from services.serving.truths import Truth, truths_of
from tests.services.serving.conftest import FEATURES, LINEAGE


def manifest(*classes: str, unit: str | None = None) -> Manifest:
    names: tuple[Literal["probabilities", "prediction"], ...] = ("probabilities",) if classes else ("prediction",)
    return Manifest(
        model="house",
        task="classification" if classes else "regression",
        inputs=FEATURES,
        outputs=tuple(Output(name=name, unit=unit) for name in names),
        classes=classes,
        lineage=LINEAGE,
        libraries={},
        serving=Serving(max_rows=3),
    )


PRICE = manifest(unit="USD")
FLOWER = manifest("setosa", "versicolor", "virginica")
DIGIT = manifest("0", "1", "7")


def refusal(document: object, of: Manifest = PRICE) -> Problem:
    with pytest.raises(Problem) as caught:
        truths_of(document, of)
    return caught.value


def test_one_truth_and_many() -> None:
    one = {"request_id": "r1", "truth": 142}
    assert truths_of(one, PRICE) == [Truth("r1", None, 142.0, 142.0)]
    many = {"feedback": [one, {"request_id": "r2", "row": 2, "truth": -0.5}]}
    assert truths_of(many, PRICE) == [Truth("r1", None, 142.0, 142.0), Truth("r2", 2, -0.5, -0.5)]
    assert truths_of({"request_id": "r", "truth": "virginica"}, FLOWER) == [Truth("r", None, "virginica", 2.0)]


ID = "an answer's id"
WRONG: dict[str, tuple[Manifest, dict[str, Any], str, str, str]] = {
    "no id": (PRICE, {"truth": 1}, "request_id", ID, "X-Request-Id"),
    "an id that no answer has": (PRICE, {"request_id": "a b", "truth": 1}, "request_id", ID, "X-Request-Id"),
    "a long id": (PRICE, {"request_id": "a" * 129, "truth": 1}, "request_id", ID, "X-Request-Id"),
    "an id with a line's end": (PRICE, {"request_id": "a\n", "truth": 1}, "request_id", ID, "X-Request-Id"),
    "an id that is a number": (PRICE, {"request_id": 7, "truth": 1}, "request_id", ID, "X-Request-Id"),
    "no truth": (PRICE, {"request_id": "r"}, "truth", "a finite number in USD", "as it came to be"),
    "null": (PRICE, {"request_id": "r", "truth": None}, "truth", "a finite number in USD", "as it came to be"),
    "a number in quotes": (PRICE, {"request_id": "r", "truth": "1"}, "truth", "a finite number in USD", "as it"),
    "a yes": (PRICE, {"request_id": "r", "truth": True}, "truth", "a finite number in USD", "as it came to be"),
    "beyond float64": (PRICE, json.loads('{"request_id": "r", "truth": 1e999}'), "truth", "finite", "as it"),
    "beyond float32": (PRICE, {"request_id": "r", "truth": 1e39}, "truth", "within ±3.4e+38", "as it came to be"),
    "beyond all": (PRICE, {"request_id": "r", "truth": 10**400}, "truth", "finite", "as it came to be"),
    "a class mistyped": (FLOWER, {"request_id": "r", "truth": "Setosa"}, "truth", "setosa, versi", "mean setosa?"),
    "no class": (FLOWER, {"request_id": "r", "truth": "rose"}, "truth", "setosa, versi", "send one of them"),
    "a class without quotes": (DIGIT, {"request_id": "r", "truth": 7}, "truth", "0, 1, 7", 'quote it: "7"'),
    "a place as text": (PRICE, {"request_id": "r", "row": "0", "truth": 1}, "row", "from 0 to 2", "leave it out"),
    "a place that is a yes": (PRICE, {"request_id": "r", "row": True, "truth": 1}, "row", "from 0 to 2", "leave"),
    "a place before the first": (PRICE, {"request_id": "r", "row": -1, "truth": 1}, "row", "from 0 to 2", "leave"),
    "a place that no request has": (PRICE, {"request_id": "r", "row": 3, "truth": 1}, "row", "from 0 to 2", "leave"),
    "a name mistyped": (PRICE, {"request_id": "r", "truth": 1, "rows": 0}, "rows", "alone", "did you mean row?"),
}


@pytest.mark.parametrize(("of", "item", "feature", "rule", "remedy"), WRONG.values(), ids=WRONG)
def test_what_is_wrong_is_named(of: Manifest, item: dict[str, Any], feature: str, rule: str, remedy: str) -> None:
    for document, place in ((item, None), ({"feedback": [{"request_id": "r", "truth": 1}, item]}, 1)):
        problem = refusal(document, of)
        assert (problem.kind, problem.status) == (Kind.FEEDBACK_REFUSED, 422)
        (fault,) = [fault for fault in problem.faults if fault.row == place]
        assert fault.feature == feature
        assert rule in fault.rule
        assert remedy in fault.remedy


@pytest.mark.parametrize(
    ("document", "rule"),
    [
        ([], "request_id"),
        ({"feedback": {}}, "at least one truth"),
        ({"feedback": []}, "at least one truth"),
        ({"feedback": [[]]}, "each truth is an object"),
        ({"feedback": [{}], "row": 1}, "nothing may stand beside"),
    ],
)
def test_another_shape_is_refused(document: object, rule: str) -> None:
    problem = refusal(document)
    assert problem.kind is Kind.FEEDBACK_REFUSED
    assert rule in problem.faults[0].rule


def test_more_truths_than_a_request_may_have_rows_are_too_many() -> None:
    problem = refusal({"feedback": [{"request_id": "r", "truth": 1}] * 4})
    assert (problem.kind, problem.faults[0].rule) == (Kind.TOO_MANY_ROWS, "at most 3 truths in a request")


def test_many_faults_end_the_search() -> None:
    wide = FLOWER.model_copy(update={"serving": Serving(max_rows=100_000)})
    problem = refusal({"feedback": [{"request_id": "", "truth": "setosi"}] * 100_000}, wide)
    assert len(problem.faults) == 100
    assert problem.detail.startswith("At least 100 things")


_json = st.recursive(
    st.none() | st.booleans() | st.floats() | st.integers() | st.text(max_size=5) | st.just("setosa"),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(["feedback", "request_id", "row", "truth", "x"]), inner)
    ),
    max_leaves=15,
)


@given(document=_json, of=st.sampled_from([PRICE, FLOWER]))
def test_whatever_a_document_states_is_taken_whole_or_refused_with_reasons(document: object, of: Manifest) -> None:
    refused: Problem | None = None
    truths: list[Truth] = []
    try:
        truths = truths_of(document, of)
    except Problem as problem:
        refused = problem
    if refused is not None:
        assert 400 <= refused.status < 500
        assert refused.faults
        json.dumps([fault.document() for fault in refused.faults], allow_nan=False)
        return
    assert isinstance(document, dict)
    stated = document.get("feedback", [document])
    assert [(truth.request_id, truth.row, truth.told) for truth in truths] == [
        (item["request_id"], item.get("row"), item["truth"]) for item in stated
    ]
