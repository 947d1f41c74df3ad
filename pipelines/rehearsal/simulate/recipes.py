"""How the simulator's bundles are trained: the repository's own training on damaged tables, labels or code.

Every damage has a strength in a unit of its own, and none is defined by the statistic that judges it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

TableDamage = Callable[[pd.DataFrame], pd.DataFrame]

MODELS = ("diabetes", "iris", "property")
# A third of property's trees: a bundle is trained in about a second.
_FEWER: Mapping[str, Mapping[str, object]] = {"property": {"iterations": 100}}
_TARGET = {"diabetes": "progression", "iris": "species", "property": "price"}
# What is measured in another unit, what is swapped, and what the world moves, by model.
UNIT = {"diabetes": "glucose", "iris": "petal_length", "property": "living_area"}
_SWAPPED = {
    "diabetes": ("hdl", "ldl"),
    "iris": ("sepal_width", "petal_width"),
    "property": ("living_area", "garage_area"),
}
MOVED = {"diabetes": ("bmi", "age"), "iris": ("sepal_length", "petal_length"), "property": ("lot_area", "garage_area")}
_BETTER: Mapping[str, tuple[Mapping[str, object], ...]] = {
    "diabetes": ({"alpha": 150.0}, {"alpha": 220.0}, {"alpha": 400.0}),
    "iris": ({"C": 6.0}, {"C": 2.0}, {"C": 4.5}),
    "property": ({"iterations": 140, "leaves": 20}, {"iterations": 120}, {"learning_rate": 0.07, "leaves": 12}),
}

UNIT_FACTORS = (1.02, 1.1, 1.3, 2.54, 10.0)
SWAPPED_SHARES = (0.1, 0.3, 1.0)
LABEL_SHIFTS = (0.1, 0.25, 0.5, 1.0, 2.0)  # standard deviations; for classes the share of labels that are wrong, halved
SHRINKAGES = (0.3, 0.6, 1.0)
TEMPERATURES = (0.8, 0.5, 0.25, 0.1)
BETTER = (0, 1, 2)
DRIFTS = (0.25, 0.5, 1.0, 2.0)
BOOTSTRAPS = tuple(range(1, 13))


@dataclass(frozen=True)
class Recipe:
    """One bundle: whose training, on which table, with which parameters, and what is done to the fitted estimator.

    Attributes:
        name: unique for the model, and the folder's name.
        table: changes the raw table before it is split.
        parameters: in place of model.yaml's.
        code: lines after the model's own train.py.
        coverage_factor: the interval's declared coverage times this.
    """

    model: str
    name: str
    table: TableDamage | None = None
    parameters: Mapping[str, object] = field(default_factory=dict)
    code: str = ""
    coverage_factor: float = 1.0


def drifted(model: str, strength: float) -> TableDamage:
    """The world moved: two features by `strength` standard deviations, the same answers being right as before."""

    def damage(table: pd.DataFrame) -> pd.DataFrame:
        return table.assign(**{name: _shifted(table[name], strength) for name in MOVED[model]})

    return damage


def recipes(model: str) -> dict[str, Recipe]:
    """All bundles of a model by name."""
    fewer = dict(_FEWER.get(model, {}))
    found = [Recipe(model, "stable", parameters=fewer)]
    found += [
        Recipe(model, f"better-{number}", parameters={**fewer, **changed})
        for number, changed in enumerate(_BETTER[model])
    ]
    found += [Recipe(model, f"bootstrap-{seed}", _bootstrap(seed), fewer) for seed in BOOTSTRAPS]
    found += [Recipe(model, f"drifted-{strength:g}", drifted(model, strength), fewer) for strength in DRIFTS]
    found += [Recipe(model, f"unit-{factor:g}", _scaled(UNIT[model], factor), fewer) for factor in UNIT_FACTORS]
    found += [Recipe(model, f"swapped-{share:g}", _swapped(*_SWAPPED[model], share), fewer) for share in SWAPPED_SHARES]
    labels = _mislabelled if model == "iris" else _relabelled
    found += [Recipe(model, f"labels-{shift:g}", labels(_TARGET[model], shift), fewer) for shift in LABEL_SHIFTS]
    if model == "iris":
        found += [Recipe(model, f"flat-{1 - scale:g}", code=_SCALED.format(scale=scale)) for scale in (0.7, 0.4, 0.0)]
        found += [Recipe(model, f"sharp-{t:g}", code=_SCALED.format(scale=1 / t)) for t in TEMPERATURES]
    else:
        found += [Recipe(model, f"flat-{each:g}", _shrunk(_TARGET[model], each), fewer) for each in SHRINKAGES]
        found += [Recipe(model, f"sharp-{t:g}", parameters=fewer, coverage_factor=t) for t in TEMPERATURES]
    return {recipe.name: recipe for recipe in found}


# Sharper or flatter probabilities from the same decision.
_SCALED = """
_fit = fit
def fit(table, parameters):
    model = _fit(table, parameters)
    model[-1].coef_ *= {scale!r}
    model[-1].intercept_ *= {scale!r}
    return model
"""


def _like(column: pd.Series, values: pd.Series) -> pd.Series:
    """Whole numbers where the column holds whole numbers."""
    return values.round().astype(column.dtype) if pd.api.types.is_integer_dtype(column.dtype) else values.round(4)


def _shifted(column: pd.Series, strength: float) -> pd.Series:
    return _like(column, column + strength * column.std())


def _scaled(name: str, factor: float) -> TableDamage:
    return lambda table: table.assign(**{name: _like(table[name], table[name] * factor)})


def _bootstrap(seed: int) -> TableDamage:
    return lambda table: table.sample(len(table), replace=True, random_state=seed).reset_index(drop=True)


def _swapped(one: str, other: str, share: float) -> TableDamage:
    def damage(table: pd.DataFrame) -> pd.DataFrame:
        rows = np.random.default_rng(0).random(len(table)) < share
        first, second = table[one].astype(float), table[other].astype(float)
        changed = {one: first.where(~rows, second), other: second.where(~rows, first)}
        whole = {
            name: _like(table[name], column.fillna(0)) if _whole(table[name]) else column
            for name, column in changed.items()
        }
        return table.assign(**whole)

    return damage


def _whole(column: pd.Series) -> bool:
    return bool(pd.api.types.is_integer_dtype(column.dtype))


def _relabelled(target: str, shift: float) -> TableDamage:
    return lambda table: table.assign(**{target: (table[target] + shift * table[target].std()).round(4)})


def _mislabelled(target: str, shift: float) -> TableDamage:
    """Each label becomes the next class with probability `shift` / 2."""

    def damage(table: pd.DataFrame) -> pd.DataFrame:
        classes = sorted(table[target].unique())
        following = dict(zip(classes, [*classes[1:], classes[0]], strict=True))
        wrong = np.random.default_rng(0).random(len(table)) < shift / 2
        return table.assign(**{target: table[target].where(~wrong, table[target].map(following))})

    return damage


def _shrunk(target: str, share: float) -> TableDamage:
    """Labels nearer to their mean: at 1 every answer is a constant."""

    def damage(table: pd.DataFrame) -> pd.DataFrame:
        mean = table[target].mean()
        return table.assign(**{target: (mean + (1 - share) * (table[target] - mean)).round(4)})

    return damage
