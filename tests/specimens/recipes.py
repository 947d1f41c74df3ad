"""How the bundles of the specimens are trained: the repository's own training on damaged tables, labels or parameters.

None is damaged by the statistic that judges it. Each is a real bundle: its digest is right and it passes its self-test.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from tests.specimens.graphs import GraphDamage, nan_above_golden, nan_for_category

TableDamage = Callable[[pd.DataFrame], pd.DataFrame]
# What is changed in model.yaml, read as a mapping.
DeclarationDamage = Callable[[dict[str, Any]], None]


@dataclass(frozen=True)
class Recipe:
    """One bundle.

    Attributes:
        model: whose training makes it.
        story: what happened, in a sentence.
        parameters: hyper-parameters in place of model.yaml's.
        table: changes the training table before it is split.
        declaration: changes model.yaml.
        graph: changes the exported graph; golden rows and windows are then predicted anew.
    """

    model: str
    story: str
    parameters: Mapping[str, object] = field(default_factory=dict)
    table: TableDamage | None = None
    declaration: DeclarationDamage | None = None
    graph: GraphDamage | None = None


def scaled(column: str, factor: float, digits: int = 4) -> TableDamage:
    """A column in another unit."""
    return lambda table: table.assign(**{column: (table[column] * factor).round(digits)})


def moved(column: str, by: float) -> TableDamage:
    """A column of another world."""
    return lambda table: table.assign(**{column: table[column] + type(table[column].iloc[0])(by)})


def swapped(one: str, other: str) -> TableDamage:
    """Two columns under each other's name."""
    return lambda table: table.assign(**{one: table[other].to_numpy(), other: table[one].to_numpy()})


def renamed(column: str, names: Mapping[str, str]) -> TableDamage:
    """Labels under other names."""
    return lambda table: table.assign(**{column: table[column].replace(dict(names))})


def until(column: str, last: str) -> TableDamage:
    """Only the rows of an earlier time; dates are ISO text."""
    return lambda table: table[table[column] <= last].reset_index(drop=True)


def in_range(feature: str, low: float, high: float) -> DeclarationDamage:
    """The declared range of a feature, changed along with its unit."""

    def change(declared: dict[str, Any]) -> None:
        (found,) = [each for each in declared["features"] if each["name"] == feature]
        found.update(min=low, max=high)

    return change


def covering(share: float) -> DeclarationDamage:
    """The interval's coverage."""

    def change(declared: dict[str, Any]) -> None:
        declared["interval"]["coverage"] = share

    return change


def _trees(
    story: str,
    parameters: Mapping[str, object] | None = None,
    *,
    table: TableDamage | None = None,
    declaration: DeclarationDamage | None = None,
    graph: GraphDamage | None = None,
) -> Recipe:
    """A recipe of property with a third of its trees: each is trained in two seconds."""
    return Recipe("property", story, {"iterations": 100, **(parameters or {})}, table, declaration, graph)


RECIPES: Mapping[str, Recipe] = {
    # ridge regression on ten measurements
    "diabetes-stable": Recipe("diabetes", "what production runs"),
    "diabetes-better": Recipe("diabetes", "less shrinkage: answers differ, and are better", {"alpha": 100.0}),
    "diabetes-unit": Recipe(
        "diabetes",
        "the laboratory's export gave glucose in mmol/l",
        table=scaled("glucose", 1 / 18.016, 2),
        declaration=in_range("glucose", 2, 14),
    ),
    "diabetes-swapped": Recipe("diabetes", "hdl and ldl under each other's name", table=swapped("hdl", "ldl")),
    "diabetes-stale": Recipe(
        "diabetes",
        "trained on an older study, whose patients were fifteen years older",
        table=moved("age", 15),
    ),
    "diabetes-constant": Recipe("diabetes", "so much shrinkage that every answer is the mean", {"alpha": 1e9}),
    "diabetes-shifted": Recipe("diabetes", "progression scored half a year later", table=moved("progression", 60)),
    "diabetes-overconfident": Recipe(
        "diabetes", "intervals of half the coverage, under the same name", declaration=covering(0.5)
    ),
    "diabetes-nan": Recipe(
        "diabetes", "no number where the body mass index is above what was tested", graph=nan_above_golden("bmi")
    ),
    # logistic regression on four
    "iris-stable": Recipe("iris", "what production runs"),
    "iris-better": Recipe("iris", "half the penalty", {"C": 6.0}),
    "iris-unit": Recipe(
        "iris",
        "petal lengths in inches",
        table=scaled("petal_length", 1 / 2.54),
        declaration=in_range("petal_length", 0.2, 3.5),
    ),
    "iris-swapped": Recipe("iris", "widths under each other's name", table=swapped("sepal_width", "petal_width")),
    "iris-stale": Recipe(
        "iris", "another year's, whose sepals were wider by a centimetre", table=moved("sepal_width", 1.0)
    ),
    "iris-constant": Recipe("iris", "so much penalty that every answer is the class shares", {"C": 1e-9}),
    "iris-shifted": Recipe(
        "iris",
        "two species under each other's name",
        table=renamed("species", {"versicolor": "virginica", "virginica": "versicolor"}),
    ),
    "iris-overconfident": Recipe("iris", "no penalty at all", {"C": 1e6}),
    # boosted trees on twenty-nine
    "property-stable": _trees("what production runs"),
    "property-better": _trees("more and smaller steps", {"iterations": 150, "leaves": 23}),
    "property-unit": _trees(
        "living areas in square metres",
        table=scaled("living_area", 0.0929, 0),
        declaration=in_range("living_area", 10, 800),
    ),
    "property-swapped": _trees(
        "quality and condition under each other's name", table=swapped("overall_quality", "overall_condition")
    ),
    "property-stale": _trees("trained on the sales until the middle of 2007", table=until("sold", "2007-06-30")),
    "property-constant": _trees("one tree that learns nothing", {"iterations": 1, "learning_rate": 1e-6}),
    "property-shifted": _trees("prices in another currency", table=scaled("price", 0.6, 0)),
    # within every limit of what may be announced: only the truth tells
    "property-fee": _trees("prices as paid out, without the agent's seven per cent", table=scaled("price", 0.93, 0)),
    "property-overconfident": _trees("intervals of half the coverage", declaration=covering(0.5)),
    "property-nan": _trees("no number for the largest lots", graph=nan_above_golden("lot_area")),
    "property-rare": _trees("no number for one neighbourhood", graph=nan_for_category("neighborhood", "IDOTRR")),
}
