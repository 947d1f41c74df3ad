"""Checks a declaration and turns everything that is wrong with it into lines a person can act on.

Called by `spec` (model.yaml) and `gates_spec` (gates.yaml). A line reads
`file: key: got value, rule, did you mean "x"?` and a file's problems come all at once.
"""

import difflib
import re
import typing
from collections.abc import Iterable, Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from models.errors import ConfigError

Location = tuple[int | str, ...]
_M = TypeVar("_M", bound=BaseModel)

# Pydantic's kinds of error that come from a whole object's own rules: reported by the `rules` of each file instead.
_OWN_RULES = "value_error"


class Declared(BaseModel):
    """What every part of a declaration is: frozen, and strict about its keys."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Problem(typing.NamedTuple):
    """One thing that is wrong: where, what stands there, which rule, and what was perhaps meant."""

    location: Location
    got: str
    rule: str
    hint: str = ""


def did_you_mean(word: str, known: Iterable[str]) -> str:
    """`did you mean "x"?` for the known word nearest to `word`, or nothing."""
    near = difflib.get_close_matches(word, list(known), n=1, cutoff=0.6)
    return f'did you mean "{near[0]}"?' if near else ""


def check(cls: type[_M], raw: Mapping[str, Any], *, file: str, rules: Iterable[Problem]) -> _M:
    """`raw` as a `cls`.

    Args:
        cls: the schema.
        raw: what the file holds.
        file: how problems name the file.
        rules: problems that only several keys together show; found on `raw`, and told with the others.

    Raises:
        ConfigError: with one line for each problem.
    """
    problems = list(rules)
    result: _M | None = None
    try:
        result = cls.model_validate(dict(raw))
    except ValidationError as err:
        said = {problem.location for problem in problems}
        schema = [(e, _from_pydantic(cls, e)) for e in err.errors() if e["type"] != _OWN_RULES]
        problems = [p for e, p in schema if p.location not in said or "[key]" in e["loc"]] + problems
        if not problems:
            problems = [Problem(tuple(e["loc"]), show(e["input"]), _rule(e["msg"])) for e in err.errors()]
    if problems or result is None:
        raise ConfigError([line(file, problem, raw) for problem in dict.fromkeys(problems)])
    return result


def line(file: str, problem: Problem, raw: Mapping[str, Any]) -> str:
    """The one line that tells `problem`."""
    parts = [f"got {problem.got}", problem.rule, *([problem.hint] if problem.hint else [])]
    return f"{file}: {_key(problem.location, raw)}: {', '.join(parts)}"


def show(value: object) -> str:
    """A value, short, as YAML's reader sees it."""
    if value is None:
        return "nothing"
    text = f'"{value}"' if isinstance(value, str) else str(value)
    return text if len(text) <= 80 else text[:77] + "..."


def _key(location: Location, raw: Any) -> str:
    """`features[2: age].dtype`: list items by their index, and their name where they have one."""
    text = ""
    for part in location:
        if isinstance(part, int):
            raw = raw[part] if isinstance(raw, list) and part < len(raw) else None
            name = raw.get("name") if isinstance(raw, dict) else None
            text += f"[{part}: {name}]" if isinstance(name, str) else f"[{part}]"
        else:
            raw = raw.get(part) if isinstance(raw, dict) else None
            text += f".{part}" if text else str(part)
    return text or "-"


def _from_pydantic(cls: type[BaseModel], error: Any) -> Problem:
    location = tuple(part for part in error["loc"] if part != "[key]")
    kind, value, rule = error["type"], error["input"], _rule(error["msg"])
    if kind == "missing":
        return Problem(location, "nothing", "required", did_you_mean(str(location[-1]), _extra(value, cls, location)))
    if kind == "extra_forbidden":
        hint = did_you_mean(str(location[-1]), _known_keys(cls, location[:-1]))
        return Problem(location, show(value), "unknown key", hint)
    if kind == "literal_error":
        words = re.findall(r"'([^']*)'", error["ctx"]["expected"])
        return Problem(location, show(value), f"must be one of {', '.join(words)}", did_you_mean(str(value), words))
    if kind.startswith(("float", "int")) and isinstance(value, str):
        return Problem(location, show(value), rule, "a number is written without quotes and 1e-3 as 1.0e-3")
    if kind.startswith("string") and isinstance(value, bool | int | float):
        return Problem(location, show(value), rule, f'quote it: "{value}"')
    return Problem(location, show(value), rule)


def _rule(message: str) -> str:
    message = re.sub("^(Value error|Assertion failed), ", "", message).replace("Input should be ", "must be ")
    return message[:1].lower() + message[1:]


def _extra(value: object, cls: type[BaseModel], location: Location) -> list[str]:
    known = _known_keys(cls, location[:-1])
    return [key for key in value if isinstance(key, str) and key not in known] if isinstance(value, dict) else []


def _known_keys(cls: type[BaseModel], location: Location) -> list[str]:
    """The keys that the schema knows at `location`; indexes and free keys stay with their container's type."""
    for part in location:
        if isinstance(part, str) and part in _fields(cls):
            cls = _nested(_fields(cls)[part]) or cls
    return list(_fields(cls))


def _fields(cls: type[BaseModel]) -> dict[str, Any]:
    return {field.alias or name: field.annotation for name, field in cls.model_fields.items()}


def _nested(annotation: Any) -> type[BaseModel] | None:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        return annotation
    return next((found for arg in typing.get_args(annotation) if (found := _nested(arg))), None)
