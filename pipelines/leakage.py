"""How well each feature alone tells the target: near one, it is the target in disguise."""

import numpy as np
import numpy.typing as npt

MAX_ROWS = 5000  # a feature that gives the target away does so on any sample; 30 features take about a second
FOLDS = 3
_SEED = 0


def leakage_scores(matrix: npt.NDArray[np.float32], target: npt.NDArray[np.generic], *, task: str) -> list[float]:
    """One score for each feature: of a decision tree on that feature alone, by rows that it did not see.

    Args:
        matrix: (n, n_features) encoded training rows; NaN is missing, which a tree can split by.
        target: (n,) class indices or values.
        task: classification or regression.

    Returns:
        Scores at most 1: R2 for a regression; for a classification accuracy above the majority's share, as a share of
        what is left above it. Negative where a feature alone misleads.
    """
    from sklearn.model_selection import KFold, cross_val_predict
    from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

    rng = np.random.default_rng(_SEED)
    if len(matrix) > MAX_ROWS:
        rows = np.sort(rng.choice(len(matrix), MAX_ROWS, replace=False))
        matrix, target = matrix[rows], target[rows]
    classify = task == "classification"
    tree = DecisionTreeClassifier if classify else DecisionTreeRegressor
    leaf = 2  # deep enough to copy a continuous target; held-out folds punish memory
    folds = KFold(FOLDS, shuffle=True, random_state=_SEED)
    scores = []
    for column in range(matrix.shape[1]):
        model = tree(min_samples_leaf=leaf, random_state=_SEED)
        said = cross_val_predict(model, matrix[:, [column]], target, cv=folds)
        scores.append(_above_majority(said, target) if classify else _r2(said, target))
    return scores


def _above_majority(said: npt.NDArray[np.generic], target: npt.NDArray[np.generic]) -> float:
    majority = np.bincount(target.astype(np.int64)).max() / len(target)
    return float((np.mean(said == target) - majority) / (1 - majority)) if majority < 1 else 0.0


def _r2(said: npt.NDArray[np.generic], target: npt.NDArray[np.generic]) -> float:
    values = target.astype(np.float64)
    total = float(np.sum((values - values.mean()) ** 2))
    return 1 - float(np.sum((values - said.astype(np.float64)) ** 2)) / total if total > 0 else 0.0
