"""Conditions are answered as Argo Rollouts 1.10 answers them, or refused by name."""

import math
from pathlib import Path
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from pipelines.rehearsal.expression import ExpressionError, UnsupportedExpression, evaluate, parse

ROWS: list[dict[str, Any]] = yaml.safe_load(Path(__file__).with_name("expressions.yaml").read_text())


def _result(row: dict[str, Any]) -> object:
    return tuple(row["result"]) if row["of"] == "vector" else row["result"]


@pytest.mark.parametrize("row", ROWS, ids=[f"{each['if']} of {each['result']}" for each in ROWS])
def test_condition_is_answered_as_by_argo_rollouts(row: dict[str, Any]) -> None:
    if isinstance(row["is"], bool):
        assert evaluate(row["if"], _result(row)) is row["is"]
        return
    with pytest.raises(ExpressionError) as raised:
        evaluate(row["if"], _result(row))
    assert isinstance(raised.value, UnsupportedExpression) is (row["is"] == "refused"), raised.value
    assert row.get("names", "") in str(raised.value)


def test_a_refusal_says_where() -> None:
    with pytest.raises(UnsupportedExpression, match="the function median at column 4 is not covered"):
        parse("1 < median(result)")


@pytest.mark.parametrize("condition", ["(" * 100 + "true" + ")" * 100, "not " * 100 + "true", "[" * 100 + "]" * 100])
def test_depth_is_bounded(condition: str) -> None:
    with pytest.raises(ExpressionError, match="nested more than 50 deep"):
        parse(condition)


def test_length_is_bounded() -> None:
    with pytest.raises(ExpressionError, match="at most 4000"):
        parse("true && " * 1000 + "true")


def test_a_long_chain_is_no_depth() -> None:
    assert evaluate(" && ".join(["result > 0"] * 250), 1.0)


@given(st.text(alphabet="result[0]()#.,&|!<>=?: '\"aNisnotlen{}+-*/%1.5e", max_size=40), st.floats())
def test_any_text_is_answered_or_raises_an_expression_error(text: str, value: float) -> None:
    try:
        answer = evaluate(text, (value,))
    except ExpressionError:
        return
    assert answer in (True, False)


@given(st.lists(st.floats(), max_size=5), st.floats(allow_nan=False))
def test_the_guarded_pair_never_raises_and_never_agrees_with_itself(values: list[float], limit: float) -> None:
    guard = "len(result) > 0 && !isNaN(result[0]) && result[0]"
    success = evaluate(f"{guard} <= {limit!r}".replace("inf", "1e308"), tuple(values))
    failure = evaluate(f"{guard} > {limit!r}".replace("inf", "1e308"), tuple(values))
    assert not (success and failure)
    assert success or failure or not values or math.isnan(values[0])
