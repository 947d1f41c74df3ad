"""The models that a server has beside its main one, and which rows go to which: two kinds of variables, read here.

`MAINLINE_BESIDE_<MODEL>` is `<version> <address> <digest>`, a variable for each model: so one word of it can be filled
by a Kustomize replacement, and the pod template that pins them all is restored by a revert, byte for byte.

`MAINLINE_ROUTE` is a JSON object of one name, a request's field, to an object of its values and the models that answer
rows with them, such as `{"kind": {"house": "property", "flat": "flats"}}`. Called by `settings`.
"""

import json
import re
from collections.abc import Collection, Mapping
from dataclasses import dataclass

from models.declaration import did_you_mean
from services.environment import UNRELEASED

PREFIX = "MAINLINE_BESIDE_"
ROUTE = "MAINLINE_ROUTE"

_NAME = re.compile(r"[A-Z][A-Z0-9]*")
# One word of the variable: what it is, what it must be.
_WORDS = (
    ("version", re.compile(r"[1-9][0-9]*"), "the registry's version, such as 3"),
    ("address", re.compile(r"(file|s3|gs|https)://\S+"), "a folder at file://, s3://, gs:// or https://"),
    ("digest", re.compile(r"sha256:[0-9a-f]{64}"), "sha256: and 64 hexadecimal digits"),
)


@dataclass(frozen=True)
class Pin:
    """One version of a model, as a release has it."""

    model: str
    version: str
    uri: str
    digest: str


@dataclass(frozen=True)
class ByField:
    """Which model answers a row, by the value of one field; a row without it is the main model's.

    Attributes:
        models: by value; at least one.
    """

    field: str
    models: Mapping[str, str]


def read_beside(environment: Mapping[str, str], main: str, problems: list[str]) -> tuple[Pin, ...]:
    """The models that stand beside `main`, by name; what is wrong is added to `problems`, a line each."""
    pins = []
    for variable in sorted(name for name in environment if name.startswith(PREFIX)):
        word, text = variable.removeprefix(PREFIX), environment[variable]
        said = f"environment: {variable}:"
        if not _NAME.fullmatch(word):
            problems.append(f"{said} must end with a model's name in capitals, such as {PREFIX}IRIS")
            continue
        model, words = word.lower(), text.split()
        if model == main:
            problems.append(
                f"{said} {model} is the main model: remove the variable, or serve another as MAINLINE_MODEL"
            )
        if UNRELEASED in words:
            problems.append(f"{said} got {text!r}: nothing is released here; promote a version first")
        elif len(words) != len(_WORDS):
            problems.append(f"{said} got {len(words)} words, must be {', '.join(noun for noun, *_ in _WORDS)}")
        else:
            problems += [
                f"{said} {noun}: got {got!r}, must be {rule}"
                for got, (noun, pattern, rule) in zip(words, _WORDS, strict=True)
                if not pattern.fullmatch(got)
            ]
            pins.append(Pin(model, *words))
    return tuple(pins)


def read_route(environment: Mapping[str, str], models: Collection[str], problems: list[str]) -> ByField | None:
    """The route that is declared among `models`, if any; what is wrong is added to `problems`, a line each."""
    text = environment.get(ROUTE, "")
    if not text:
        return None
    said = f"environment: {ROUTE}:"
    try:
        document = json.loads(text)
    except ValueError as err:
        problems.append(f'{said} is not JSON ({err}), must be like {{"kind": {{"house": "property"}}}}')
        return None
    targets = next(iter(document.values()), None) if isinstance(document, dict) and len(document) == 1 else None
    if not (isinstance(targets, dict) and targets and all(isinstance(model, str) for model in targets.values())):
        problems.append(f'{said} must be one field with its values, like {{"kind": {{"house": "property"}}}}')
        return None
    for value, model in targets.items():
        if model not in models:
            near = did_you_mean(model, models) or f"name one of {', '.join(models)}"
            problems.append(f"{said} {value!r}: got {model!r}, which this server has not; {near}")
    return ByField(next(iter(document)), targets)
