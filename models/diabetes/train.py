"""Ridge regression on standardised measurements: 442 patients carry no more than a linear model."""

from collections.abc import Mapping

import pandas as pd
from sklearn.linear_model import Ridge
from sklearn.pipeline import Pipeline, make_pipeline
from sklearn.preprocessing import StandardScaler


def fit(table: pd.DataFrame, parameters: Mapping[str, object]) -> Pipeline:
    """A fitted pipeline.

    Args:
        table: (n, 11) encoded measurements, and `progression`.
        parameters: `alpha`, the weight of the L2 penalty, >= 0; of the order of n it shrinks to the mean.
    """
    rows = table.drop(columns="progression").to_numpy(dtype="float64")
    model = make_pipeline(StandardScaler(), Ridge(alpha=float(str(parameters["alpha"]))))
    return model.fit(rows, table["progression"].to_numpy(dtype="float64"))
