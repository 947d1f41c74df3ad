"""Rows sorted by what trees ask: in which order, and what no rows can be sorted by."""

import json

import numpy as np
import pytest

from models.row_order import KEY, MOST_QUESTIONS, RowOrder


@pytest.mark.parametrize("n_questions", [1, 7, 8, 9, MOST_QUESTIONS])
def test_rows_with_equal_answers_follow_each_other(n_questions: int) -> None:
    rng = np.random.default_rng(n_questions)
    rows = rng.normal(size=(500, 3)).astype(np.float32)
    rows[rng.random(rows.shape) < 0.1] = np.nan
    questions = [(index % 3, float(rng.normal())) for index in range(n_questions)]
    sorted_rows = rows[RowOrder(questions).of(rows)]
    answers = [tuple(bool(row[column] > np.float32(at)) for column, at in questions) for row in sorted_rows]
    assert answers == sorted(answers), "the first question decides, then the second"
    assert sorted(map(str, sorted_rows)) == sorted(map(str, rows)), "every row once"


def test_metadata_say_it() -> None:
    order = RowOrder([(1, 0.5), (0, -2.25)])
    read = RowOrder.read(order.metadata(), 2)
    assert read is not None
    assert read.questions == order.questions
    assert RowOrder.read({"another": "x"}, 2) is None


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "7",
        "[[0]]",
        "[[0, 1, 2]]",
        '[["a", 1]]',
        "[]",
        "[[Infinity, 1]]",
        json.dumps([[0, 1]] * 17),
        "[[2, 0]]",
        "[[-1, 0]]",
    ],
)
def test_what_no_rows_can_be_sorted_by_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match=KEY):
        RowOrder.read({KEY: text}, 2)
