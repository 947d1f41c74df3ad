"""Multinomial logistic regression on standardised measurements: two of the species overlap a little."""

from collections.abc import Mapping

import pandas as pd
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


def fit(table: pd.DataFrame, parameters: Mapping[str, object]) -> Pipeline:
    """A fitted pipeline.

    Args:
        table: (n, 5) encoded measurements in cm, and `species`.
        parameters: `C`, the inverse strength of the L2 penalty, > 0.
    """
    rows = table.drop(columns="species").to_numpy(dtype="float64")
    model = make_pipeline(StandardScaler(), LogisticRegression(C=float(str(parameters["C"])), max_iter=1000))
    return model.fit(rows, table["species"].to_numpy(dtype=str))
