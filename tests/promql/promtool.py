"""What promtool answers to queries over written series: one call for any number of questions."""

import re
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

INTERVAL_SECONDS = 15
# promtool tells a value only where it differs from the expected one: nothing has this label.
_IMPOSSIBLE = [{"labels": '{expected="never"}', "value": 1}]
_ANSWER = re.compile(r"^    expr: .*?(?=^    expr: |\Z)", re.MULTILINE | re.DOTALL)
_SAMPLE = re.compile(r"\} ([-+0-9.Ee]+|NaN|[-+]Inf)(?=, \{|\s*$)")


@dataclass(frozen=True)
class Question:
    """A query at a time over series, each in promtool's notation, a value every 15 s."""

    query: str
    series: Mapping[str, str]
    at_seconds: int


def answers(promtool: Sequence[str], folder: Path, questions: Sequence[Question]) -> list[list[float]]:
    """The values of each query's vector, as Argo Rollouts gets them; none is an empty list.

    Raises:
        AssertionError: promtool did not answer one of them.
    """
    tests = [
        {
            "interval": f"{INTERVAL_SECONDS}s",
            "input_series": [{"series": name, "values": values} for name, values in question.series.items()],
            "promql_expr_test": [
                {"expr": question.query, "eval_time": f"{question.at_seconds}s", "exp_samples": _IMPOSSIBLE}
            ],
        }
        for question in questions
    ]
    file = folder / "questions.yaml"
    document = {"rule_files": [], "evaluation_interval": f"{INTERVAL_SECONDS}s", "tests": tests}
    file.write_text(yaml.safe_dump(document), encoding="utf-8")
    done = subprocess.run([*promtool, "test", "rules", str(file)], capture_output=True, text=True, check=False)
    told = _ANSWER.findall(done.stdout + done.stderr)
    assert len(told) == len(questions), f"{len(questions)} questions, {len(told)} answers: {done.stdout}{done.stderr}"
    return [_values(each) for each in told]


def _values(told: str) -> list[float]:
    got = told.partition("got:")[2].strip()
    assert got, told
    return [] if got == "nil" else [float(value) for value in _SAMPLE.findall(got)]
