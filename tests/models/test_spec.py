"""model.yaml: what is read, and every way in which it is refused."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from models.errors import ConfigError
from models.spec import load_model, load_spec

WriteModel = Callable[..., Path]
Spoil = Callable[[dict[str, Any]], object]


def problems(folder: Path) -> list[str]:
    with pytest.raises(ConfigError) as caught:
        load_spec(folder)
    assert caught.value.exit_code == 2
    return [problem.removeprefix(f"{folder}/") for problem in caught.value.problems]


def test_correct_declaration_is_read(write_model: WriteModel) -> None:
    spec = load_spec(write_model())
    assert spec.feature_names == ("area", "rooms", "street", "sold")
    assert spec.features[0].max == 1000.0
    assert spec.features[2].missing_token == "(missing)"
    assert spec.parameters == {"alpha": 0.1, "depth": 3, "loss": "huber", "warm": True}
    assert spec.parameters["warm"] is True
    assert spec.classes == ()


def test_unquoted_date_is_a_date(write_model: WriteModel, house: dict[str, Any]) -> None:
    import datetime

    house["features"][3]["min"] = datetime.date(2006, 1, 1)
    assert load_spec(write_model(house)).features[3].min == "2006-01-01"


def test_training_half_leaves_out_what_retrains_nothing(write_model: WriteModel, house: dict[str, Any]) -> None:
    before = load_spec(write_model()).training_half()
    house |= {"owner": "b@example.org", "description": "other", "serving": {"max_rows": 1}}
    house["training"]["schedule"] = "0 3 * * 1"
    assert load_spec(write_model(house)).training_half() == before
    house["parameters"]["alpha"] = 0.2
    assert load_spec(write_model(house)).training_half() != before


CASES: list[tuple[str, Spoil, str]] = [
    (
        "unknown-key",
        lambda h: h.update(ownr="x"),
        'model.yaml: ownr: got "x", unknown key, did you mean "owner"?',
    ),
    ("missing-key", lambda h: h.pop("target"), "model.yaml: target: got nothing, required"),
    (
        "name-not-folder",
        lambda h: h.update(name="home"),
        'model.yaml: name: got "home", must equal the folder\'s name, "house"',
    ),
    ("name-pattern", lambda h: h.update(name="My-House"), "model.yaml: name: got"),
    (
        "task",
        lambda h: h.update(task="regresion"),
        'model.yaml: task: got "regresion", must be one of classification, regression, did you mean "regression"?',
    ),
    (
        "nested-unknown-key",
        lambda h: h["data"].update(slice=["x"]),
        "model.yaml: data.slice: got ['x'], unknown key, did you mean \"slices\"?",
    ),
    (
        "dtype",
        lambda h: h["features"][0].update(dtype="flot"),
        'model.yaml: features[0: area].dtype: got "flot", must be one of float, integer, category, date, '
        'did you mean "float"?',
    ),
    (
        "twice",
        lambda h: h["features"][1].update(name="area"),
        'model.yaml: features[1: area].name: got "area", each feature stands once',
    ),
    (
        "target-among-features",
        lambda h: h["features"][1].update(name="price"),
        'model.yaml: features[1: price].name: got "price", the target cannot be among the features',
    ),
    (
        "target-is-key",
        lambda h: h["data"].update(key=["price"]),
        'model.yaml: data.key[0]: got "price", the target cannot decide which side of the split a row is on',
    ),
    (
        "slice",
        lambda h: h["data"].update(slices=["stret"]),
        'model.yaml: data.slices[0]: got "stret", must be a feature, did you mean "street"?',
    ),
    (
        "held-out",
        lambda h: h["data"].update(held_out=1.0),
        "model.yaml: data.held_out: got 1.0, must be less than 1",
    ),
    (
        "number-as-string",
        lambda h: h["data"].update(held_out="2e-1"),
        'model.yaml: data.held_out: got "2e-1", must be a valid number, '
        "a number is written without quotes and 1e-3 as 1.0e-3",
    ),
    (
        "file-outside",
        lambda h: h["data"].update(file="../x.csv"),
        'model.yaml: data.file: got "../x.csv", must be a path inside data/',
    ),
    ("file-kind", lambda h: h["data"].update(file="x.xls"), "model.yaml: data.file: got"),
    (
        "range",
        lambda h: h["features"][0].update(min=2000),
        "model.yaml: features[0: area].min: got 2000, must not exceed max, 1000",
    ),
    (
        "range-kind",
        lambda h: h["features"][0].update(min="low"),
        'model.yaml: features[0: area].min: got "low", must be a number',
    ),
    (
        "range-of-date",
        lambda h: h["features"][3].update(min="2006-13-01"),
        'model.yaml: features[3: sold].min: got "2006-13-01", must be a date as "YYYY-MM-DD"',
    ),
    (
        "range-nan",
        lambda h: h["features"][0].update(max=float("nan")),
        "model.yaml: features[0: area].max: got nan, must be a finite number, or a date as YYYY-MM-DD",
    ),
    (
        "range-of-integer",
        lambda h: h["features"][1].update(max=2**25),
        "model.yaml: features[1: rooms].max: got 33554432, an integer's range ends at 16,777,216",
    ),
    (
        "range-of-category",
        lambda h: h["features"][2].update(max=3),
        "model.yaml: features[2: street].max: got 3, a category has no range",
    ),
    (
        "no-categories",
        lambda h: h["features"][2].pop("categories"),
        "model.yaml: features[2: street].categories: got nothing, a category lists at least one category",
    ),
    (
        "category-twice",
        lambda h: h["features"][2].update(categories=["a", "a"]),
        'model.yaml: features[2: street].categories: got "a", each category stands once',
    ),
    (
        "category-kind",
        lambda h: h["features"][2].update(categories=["a", 1]),
        'model.yaml: features[2: street].categories[1]: got 1, must be a valid string, quote it: "1"',
    ),
    (
        "categories-of-float",
        lambda h: h["features"][0].update(categories=["a"]),
        "model.yaml: features[0: area].categories: got ['a'], only a category has categories",
    ),
    (
        "token-is-category",
        lambda h: h["features"][2].update(missing_token="Pave"),
        'model.yaml: features[2: street].missing_token: got "Pave", must not be one of the categories',
    ),
    (
        "unknown-as-missing",
        lambda h: h["features"][2].update(missing="refuse"),
        'model.yaml: features[2: street].unknown: got "as_missing", needs missing: allow',
    ),
    (
        "unknown-of-float",
        lambda h: h["features"][0].update(unknown="as_missing"),
        'model.yaml: features[0: area].unknown: got "as_missing", only a category can be unknown',
    ),
    (
        "date-without-encoding",
        lambda h: h["features"][3].pop("encoding"),
        "model.yaml: features[3: sold].encoding: got nothing, a date declares its encoding: days or year_fraction",
    ),
    (
        "encoding-of-float",
        lambda h: h["features"][0].update(encoding="days"),
        'model.yaml: features[0: area].encoding: got "days", only a date has an encoding',
    ),
    (
        "classes-of-regression",
        lambda h: h["target"].update(classes=["a", "b"]),
        "model.yaml: target.classes: got ['a', 'b'], only a classification has classes",
    ),
    (
        "classification-without-classes",
        lambda h: (h.update(task="classification"), h.pop("interval")),
        "model.yaml: target.classes: got nothing, a classification lists at least two classes",
    ),
    (
        "class-twice",
        lambda h: (h.update(task="classification"), h.pop("interval"), h["target"].update(classes=["a", "a"])),
        'model.yaml: target.classes: got "a", each class stands once',
    ),
    (
        "interval-of-classification",
        lambda h: (h.update(task="classification"), h["target"].update(classes=["a", "b"])),
        "model.yaml: interval: got {'calibration': 0.2, 'coverage': 0.9}, only a regression has an interval",
    ),
    (
        "parameter-kind",
        lambda h: h["parameters"].update(alpha=[1]),
        "model.yaml: parameters.alpha: got [1], must be a finite number, a string, true or false",
    ),
    (
        "resources",
        lambda h: h["training"].update(resources="gpus"),
        'model.yaml: training.resources: got "gpus", must be one of small, large, gpu, did you mean "gpu"?',
    ),
    ("schedule", lambda h: h["training"].update(schedule="daily"), 'model.yaml: training.schedule: got "daily"'),
    (
        "no-features",
        lambda h: (h.update(features=[]), h["data"].pop("slices")),
        "model.yaml: features: got []",
    ),
]


@pytest.mark.parametrize(("spoil", "line"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_wrong_declaration_is_refused_in_one_line(
    write_model: WriteModel, house: dict[str, Any], spoil: Spoil, line: str
) -> None:
    spoil(house)
    found = problems(write_model(house))
    assert len(found) == 1, found
    assert found[0].startswith(line)


def test_misspelt_key_is_told_from_both_ends(write_model: WriteModel, house: dict[str, Any]) -> None:
    house["descripton"] = house.pop("description")
    assert problems(write_model(house)) == [
        'model.yaml: description: got nothing, required, did you mean "descripton"?',
        'model.yaml: descripton: got "one line", unknown key, did you mean "description"?',
    ]


def test_all_problems_come_at_once(write_model: WriteModel, house: dict[str, Any], gates: dict[str, Any]) -> None:
    house |= {"name": "home", "task": "regresion", "ownr": "x"}
    house["features"][0]["dtype"] = "flot"
    house["features"][1]["name"] = "sold"
    house["data"]["slices"] = ["stret"]
    gates["kind"] = "Gate"
    with pytest.raises(ConfigError) as caught:
        load_model(write_model(house, gates))
    keys = {problem.split(": got")[0].rsplit("/", 1)[1] for problem in caught.value.problems}
    assert keys == {
        "model.yaml: name",
        "model.yaml: task",
        "model.yaml: ownr",
        "model.yaml: features[0: area].dtype",
        "model.yaml: features[3: sold].name",
        "model.yaml: data.slices[0]",
        "gates.yaml: kind",
    }


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("name: [", "model.yaml: line 1, column 8: got "),
        ("a: 1\na: 2\n", 'model.yaml: line 2, column 1: got the key "a" stands twice, must be YAML'),
        ("- a\n", "model.yaml: -: got ['a'], must be a mapping of keys to values"),
        ("", "model.yaml: -: got nothing, must be a mapping of keys to values"),
        ("day: 2020-13-45\n", "model.yaml: -: got month must be in 1..12"),
        ("!!python/object:os.system {}\n", "model.yaml: line 1, column 1: got could not determine a constructor"),
    ],
    ids=["syntax", "key-twice", "list", "empty", "impossible-date", "python-object"],
)
def test_text_that_is_no_mapping_is_refused(write_model: WriteModel, text: str, line: str) -> None:
    assert problems(write_model(text))[0].startswith(line)


def test_missing_file_is_refused(tmp_path: Path) -> None:
    assert problems(tmp_path)[0].startswith("model.yaml: -: got no such file")
