"""The specimens' bundles are real: their digest is right, they answer their golden rows, and each differs as told."""

import io

import numpy as np
import numpy.typing as npt
import pandas as pd
import pytest

from models.bundle import HELD_OUT, REFERENCE, Bundle
from models.predictor import Predictor
from tests.specimens.making import made
from tests.specimens.recipes import RECIPES

# property's are trained in two seconds each
pytestmark = pytest.mark.slow
DAMAGED = [name for name in RECIPES if not name.endswith("-stable")]


def rows(bundle: Bundle, file: str) -> npt.NDArray[np.float32]:
    names = [feature.name for feature in bundle.features]
    return pd.read_parquet(io.BytesIO(bundle.read(file)))[names].to_numpy(dtype="float32")


@pytest.mark.parametrize("name", RECIPES)
def test_each_is_verified_and_answers_its_golden_rows(name: str) -> None:
    Predictor(made(name)).self_test()


@pytest.mark.parametrize("name", DAMAGED)
def test_each_answers_otherwise_than_stable_or_was_trained_on_other_rows(name: str) -> None:
    bundle, stable = made(name), made(f"{RECIPES[name].model}-stable")
    assert bundle.digest != stable.digest
    matrix = rows(stable, HELD_OUT)
    ours, theirs = Predictor(bundle).predict(matrix), Predictor(stable).predict(matrix)
    assert any(not np.array_equal(ours[output], theirs[output]) for output in theirs)


@pytest.mark.parametrize("name", [name for name, recipe in RECIPES.items() if recipe.graph])
def test_no_number_is_seen_by_some_rows_alone(name: str) -> None:
    bundle = made(name)
    answers = Predictor(bundle).predict(np.concatenate([rows(bundle, HELD_OUT), rows(bundle, REFERENCE)]))
    missing = np.isnan(answers["prediction"]).mean()
    assert 0.005 < missing < 0.1


def test_a_kept_bundle_is_the_same_bundle() -> None:
    first = made("iris-stable").digest
    made.cache_clear()
    assert made("iris-stable").digest == first
