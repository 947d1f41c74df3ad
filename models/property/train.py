"""Gradient-boosted trees on 29 properties of a house: missing is a branch, categories are ordered codes."""

from collections.abc import Mapping

import pandas as pd
from sklearn.ensemble import HistGradientBoostingRegressor


def fit(table: pd.DataFrame, parameters: Mapping[str, object]) -> HistGradientBoostingRegressor:
    """Fitted trees.

    Args:
        table: (n, 30) encoded features, and `price` in USD; NaN is a missing number.
        parameters: `learning_rate` in (0, 1], `iterations` (trees), `leaves` of a tree, `min_leaf` (rows of a leaf),
            `l2` (penalty on a leaf's value).
    """
    model = HistGradientBoostingRegressor(
        learning_rate=float(str(parameters["learning_rate"])),
        max_iter=int(str(parameters["iterations"])),
        max_leaf_nodes=int(str(parameters["leaves"])),
        min_samples_leaf=int(str(parameters["min_leaf"])),
        l2_regularization=float(str(parameters["l2"])),
        early_stopping=False,  # it would hold rows back at random; the number of trees is a parameter
        random_state=0,
    )
    return model.fit(table.drop(columns="price").to_numpy(dtype="float64"), table["price"].to_numpy(dtype="float64"))
