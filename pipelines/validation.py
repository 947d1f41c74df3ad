"""What a table must satisfy before a model is trained on it. Pure: rows in, findings out; the step decides nothing."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from difflib import get_close_matches
from typing import Any

import numpy as np
import numpy.typing as npt
import pandas as pd

from models.gates_spec import Validation
from models.rows import RowProblem, RowsRefused, encode_columns
from models.spec import ModelSpec
from models.verdict import Verdict
from pipelines.errors import ConfigError
from pipelines.leakage import leakage_scores
from pipelines.split import held_out_mask
from pipelines.table import columns, read_target

# A held-out row that was trained on flatters every metric. By chance a few rows of a large table repeat; 1 % of the
# held-out rows move an accuracy by at most one point, less than its interval on the rows that models here have.
MAX_SHARED_SHARE = 0.01
# Equal features with different targets bound what any model can reach. A tenth of the rows means that features or the
# target are wrong (shuffled labels, a lost column); less is noise that a warning tells.
MAX_CONFLICT_SHARE = 0.1


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong, or strange: which check, about what, the value, the rule and what to do."""

    check: str
    subject: str
    value: str
    rule: str
    remedy: str

    def line(self) -> str:
        """The finding as one line of text."""
        return f"{self.check}: {self.subject}: got {self.value}, {self.rule}; {self.remedy}"


@dataclass(frozen=True)
class Report:
    """What validation found; it passes where there is no problem, warnings or not."""

    problems: tuple[Finding, ...]
    warnings: tuple[Finding, ...]
    n_rows: int
    n_held_out: int

    @property
    def verdict(self) -> Verdict:
        """Pass or fail; validation knows no third answer, since what cannot be checked is a problem."""
        return Verdict.FAIL if self.problems else Verdict.PASS

    def reason(self) -> str:
        """The problems on one line; empty where there is none."""
        return "; ".join(finding.line() for finding in self.problems[:5]) + (" ..." if len(self.problems) > 5 else "")

    def document(self) -> dict[str, Any]:
        """The report as validation.json holds it."""
        return {
            "verdict": str(self.verdict),
            "reason": self.reason(),
            "n_rows": self.n_rows,
            "n_held_out": self.n_held_out,
            "problems": [asdict(finding) for finding in self.problems],
            "warnings": [asdict(finding) for finding in self.warnings],
        }


def validate(raw: pd.DataFrame, spec: ModelSpec, limits: Validation) -> Report:
    """Every check over all rows; those that need what another found missing are left out."""
    problems = list(_columns(raw, spec))
    warnings: list[Finding] = []
    if len(raw) < limits.min_rows:
        rule = f"at least {limits.min_rows} are needed"
        problems.append(
            Finding("rows", "table", f"{len(raw)} rows", rule, "add rows, or lower validation.min_rows with a reason")
        )
    if any(finding.check == "columns" for finding in problems) or raw.empty:
        return Report(tuple(problems), (), len(raw), 0)
    problems += _missing(raw, spec, limits.max_missing_share)
    matrix, found = _encode(raw, spec)
    problems += found
    target, found = _target(raw, spec)
    problems += found
    held_out = held_out_mask(raw, spec.data.key or spec.feature_names, spec.data.held_out)
    if target is not None:
        problems += _sides(target, held_out, spec)
    if matrix is not None:
        for finding, refused in _repeats(matrix, target, held_out, spec):
            (problems if refused else warnings).append(finding)
    if matrix is not None and target is not None and not problems:
        problems += _leakage(matrix[~held_out], target[~held_out], spec, limits.leakage_max_score)
    return Report(tuple(problems), tuple(warnings), len(raw), int(held_out.sum()))


def _columns(raw: pd.DataFrame, spec: ModelSpec) -> Iterator[Finding]:
    for name in dict.fromkeys((*spec.feature_names, spec.target.name, *spec.data.key)):
        if name not in raw.columns:
            near = get_close_matches(name, [str(column) for column in raw.columns], n=1)
            remedy = f"did you mean {near[0]}?" if near else "add it to the data, or take it out of model.yaml"
            yield Finding("columns", name, "no such column", "model.yaml declares it", remedy)


def _missing(raw: pd.DataFrame, spec: ModelSpec, most: float) -> Iterator[Finding]:
    for feature in spec.features:
        share = float(raw[feature.name].isna().mean())
        if share > most:
            rule = f"at most {most:g} of its rows may be"
            yield Finding(
                "missing", feature.name, f"{share:.3f} missing", rule, "repair the source, or drop the feature"
            )


def _encode(raw: pd.DataFrame, spec: ModelSpec) -> tuple[npt.NDArray[np.float32] | None, list[Finding]]:
    """The matrix where all rows can be encoded. What serving only warns of (a range, an unknown category) is a problem
    here: the rows that a model learns from must lie inside what its spec declares."""
    try:
        encoded = encode_columns(columns(raw, spec.feature_names), spec.features)
    except RowsRefused as refused:
        return None, _group(refused.problems)
    return encoded.matrix, _group(encoded.warnings)


def _group(problems: "list[RowProblem] | tuple[RowProblem, ...]") -> list[Finding]:
    """One finding for each feature and rule, with the first row and the number of rows."""
    first: dict[tuple[str, str], RowProblem] = {}
    counts: Counter[tuple[str, str]] = Counter()
    for problem in problems:
        key = (str(problem.feature), str(problem.rule))
        first.setdefault(key, problem)
        counts[key] += 1
    return [
        Finding(
            "values",
            feature,
            f"{first[key].value!r} in row {first[key].row} ({counts[key]} rows)",
            rule,
            str(first[key].remedy),
        )
        for key in first
        for feature, rule in [key]
    ]


def _target(raw: pd.DataFrame, spec: ModelSpec) -> tuple[npt.NDArray[np.generic] | None, list[Finding]]:
    try:
        return read_target(raw, spec), []
    except ConfigError as error:
        remedy = "repair the data, or the classes in model.yaml"
        return None, [
            Finding("target", spec.target.name, f"{len(error.problems)} unreadable values", problem, remedy)
            for problem in error.problems
        ]


def _sides(target: npt.NDArray[np.generic], held_out: npt.NDArray[np.bool_], spec: ModelSpec) -> Iterator[Finding]:
    for side, rows in (("training", ~held_out), ("held-out", held_out)):
        if not rows.any():
            yield Finding(
                "rows",
                f"{side} side",
                "no row",
                "both sides of the split need rows",
                "check data.key and data.held_out",
            )
        elif spec.classes:
            for number, name in enumerate(spec.classes):
                if not (target[rows] == number).any():
                    rule = "every class of model.yaml must stand on both sides of the split"
                    yield Finding(
                        "classes", name, f"no {side} row", rule, "a class vanished: restore its rows or undeclare it"
                    )
        elif np.ptp(target[rows].astype(np.float64)) == 0:
            yield Finding(
                "target", spec.target.name, f"one value on the {side} side", "a target varies", "check the source"
            )


def _repeats(
    matrix: npt.NDArray[np.float32],
    target: npt.NDArray[np.generic] | None,
    held_out: npt.NDArray[np.bool_],
    spec: ModelSpec,
) -> Iterator[tuple[Finding, bool]]:
    """Rows of equal features: on both sides of the split, and with different targets; with whether that is refused."""
    canonical = np.where(np.isnan(matrix), np.float32(np.nan), matrix + np.float32(0))  # one NaN, no negative zero
    keys = np.array([row.tobytes().hex() for row in canonical])
    shared = float(np.isin(keys[held_out], keys[~held_out]).mean()) if held_out.any() else 0.0
    if shared > 0:
        rule = f"at most {MAX_SHARED_SHARE:g} of the held-out rows may have the features of a training row"
        remedy = "make data.key name what identifies an example, or take the repeats out"
        yield Finding("shared_rows", "split", f"{shared:.3f} of held-out rows", rule, remedy), shared > MAX_SHARED_SHARE
    if target is None:
        return
    groups = pd.Series(target.astype(np.float64)).groupby(keys)
    spread = groups.transform("max") - groups.transform("min")
    # Two sales of one house differ a little; more than a standard deviation apart is another answer.
    apart = float(np.std(target.astype(np.float64))) if spec.task == "regression" else 0.0
    conflicting = float((spread > apart).mean())
    if conflicting > 0:
        rule = f"at most {MAX_CONFLICT_SHARE:g} of the rows may have equal features and another target"
        remedy = "find the feature that tells them apart, or the fault in the target"
        yield (
            Finding("conflicting_rows", spec.target.name, f"{conflicting:.3f} of rows", rule, remedy),
            conflicting > MAX_CONFLICT_SHARE,
        )


def _leakage(
    matrix: npt.NDArray[np.float32], target: npt.NDArray[np.generic], spec: ModelSpec, most: float
) -> Iterator[Finding]:
    for feature, score in zip(spec.feature_names, leakage_scores(matrix, target, task=spec.task), strict=True):
        if score > most:
            rule = f"one feature alone may score at most {most:g}"
            yield Finding(
                "leakage",
                feature,
                f"{score:.3f} alone",
                rule,
                "drop it: it is known only with the target; or raise the limit",
            )
