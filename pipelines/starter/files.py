"""The text of a new model's files. Plain templates: what they leave open, the owner edits."""

from __future__ import annotations

from typing import Any

import yaml

from pipelines.infer_spec import DATE_MARGIN_DAYS, MARGIN, Inferred
from pipelines.starter.gates import Limits
from pipelines.starter.online import online_yaml

OWNER = "nobody@example.org"


def model_yaml(
    name: str, task: str, *, data: str, target: str, classes: list[str], features: list[dict[str, Any]], n_rows: int
) -> str:
    """The declaration; ranges are the observed ones, widened."""
    declared: dict[str, Any] = {"name": target}
    if classes:
        declared["classes"] = classes
    lines = "\n".join(f"  - {_flow(feature, '    ')}" for feature in features)
    tail = "" if classes else "\ninterval: {coverage: 0.9, calibration: 0.2}"
    return f"""\
# Ranges are those of {n_rows} rows, {MARGIN:.0%} of the span added on each side (dates: {DATE_MARGIN_DAYS} days).
name: {name}
task: {task}
owner: {OWNER}
description: {_flow(f"Predicts {target} from {len(features)} features.")}
data:
  file: {_flow(data)}
  key: []
  held_out: 0.25
  slices: []
target: {_flow(declared, "  ")}
features:
{lines}
parameters: {{n_estimators: 150, learning_rate: 0.05, max_depth: 3, min_samples_leaf: 5}}{tail}
training: {{resources: small, schedule: null}}
serving: {{max_rows: 1024, max_body_bytes: 1048576}}
"""


def gates_yaml(name: str, limits: Limits, *, unit: str, n_rows: int, missing_share: float) -> str:
    """Every threshold with its reason."""
    error = "|coverage - declared| beyond noise" if limits.metric == "rmse" else "expected calibration error"
    trivial = "the training mean" if limits.metric == "rmse" else "the classes' shares"
    missing = min(0.95, round(max(0.2, missing_share + 0.1), 2))
    return f"""\
# Thresholds of {name}. Those of `offline` were computed from the first {n_rows} rows, those of `online` are what every
# model of the house begins with; the owner tightens both.
apiVersion: mainline.dev/v1
kind: Gates
metadata:
  name: {name}
  annotations:
    config.kubernetes.io/local-config: "true"
spec:
  offline:
    metric: {limits.metric}
    limits:
      {limits.metric}:
        max: {_flow(limits.ceiling)}
        reason: always answering {trivial} scores {limits.trivial:g}, held out; five percent better is the least
    champion:
      margin: {_flow(limits.margin)}
      unit: {_flow(unit)}
      confidence: 0.95
      resamples: 1000
      reason: five percent of what the predictor without features scores; a smaller loss is within a retraining's noise
    calibration:
      max_error: {_flow(limits.calibration)}
      reason: {_flow(f"{error}; wide enough for the few held-out rows of a first table")}
    bundle:
      max_bytes: 10000000
      reason: fetched by every new pod; ten megabytes take a second
    parity:
      max_abs: {_flow(limits.parity)}
      max_label_mismatch: 0.0
      reason: float32 arithmetic of the graph against float64 of the estimator; more is a wrong export
    validation:
      min_rows: {max(1, int(0.8 * n_rows))}
      leakage_max_score: 0.98
      max_missing_share: {_flow(missing)}
      reason: >-
        four fifths of the first table's rows, fewer is a cut-off export; a feature that explains 98 % alone is known
        only with the target; missing values may grow by a tenth
{online_yaml(n_rows)}"""


def train_py(name: str, task: str, target: str) -> str:
    """The baseline: imputed medians, then boosted trees; ONNX holds both, and trees need no scaling of the codes."""
    kind = "GradientBoostingRegressor" if task == "regression" else "GradientBoostingClassifier"
    return f'''\
"""The baseline of {name}: medians for what is missing, then boosted trees. Replace it; only `fit` is called."""

from collections.abc import Mapping

import pandas as pd
from sklearn.ensemble import {kind}
from sklearn.impute import SimpleImputer
from sklearn.pipeline import Pipeline, make_pipeline

TARGET = {target!r}


def fit(table: pd.DataFrame, parameters: Mapping[str, object]) -> Pipeline:
    """The fitted pipeline.

    Args:
        table: (n, n_features + 1) encoded float32 features (NaN where a number is missing), and the target.
        parameters: of model.yaml, handed to the trees.
    """
    features = table.drop(columns=TARGET).to_numpy()  # (n, n_features), float32
    trees = {kind}(**parameters, random_state=0)
    return make_pipeline(SimpleImputer(strategy="median", keep_empty_features=True), trees).fit(features, table[TARGET])
'''


def model_card(name: str, task: str, target: str, inferred: Inferred, *, source: str, n_rows: int) -> str:
    """The card, with what only its owner can answer."""
    features = ", ".join(f"`{feature['name']}`" for feature in inferred.features)
    left_out = "\n".join(f"- `{column}`: {reason}" for column, reason in inferred.left_out.items()) or "- none"
    changed = "\n".join(f"- {note}" for note in inferred.notes) or "- nothing"
    return f"""\
# {name}

A {task} of `{target}`, begun by `mainline new` from `{source}` ({n_rows} rows).

## Intended use
- Who asks for a prediction, and what do they do with it?
- What must it not be used for?

## Data
- Where does the table come from, under which terms, and who may see it?
- Over which period was it collected, and does it look like the requests to come?
- Is one row one example? If several rows belong to one person or thing, name its column in `data.key`, or copies end
  up on both sides of the split.

Features: {features}

Columns left out:
{left_out}

Changed when the table was copied:
{changed}

## Features
- Which units do the numbers have? (`unit` in model.yaml)
- Are the ranges right, or only what this table happened to hold?
- Is every feature known at the moment of the prediction, before the target is?
- May values be missing that never were in this table? May new categories appear?

## Metrics and gates
- What does an error cost, and is the limit in gates.yaml, better than a predictor without features, enough?
- Over which groups must the errors be alike? (`data.slices`, then `slice_gap` in gates.yaml)

## Known failure modes
- Where does it fail, and what should be done instead?

## Owner
- {OWNER}: who answers for this model? (`owner` in model.yaml)
"""


def _flow(value: object, indent: str = "") -> str:
    """A value in YAML's flow style; lines that do not fit go on below, indented."""
    text = yaml.safe_dump(value, default_flow_style=True, sort_keys=False, allow_unicode=True, width=112)
    return text.removesuffix("\n").removesuffix("\n...").replace("\n", f"\n{indent}")
