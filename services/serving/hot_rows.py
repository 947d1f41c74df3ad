"""The plain row, read fast: one JSON object of named features in which nothing is odd. Called by `engine`.

What is read here is what `services.body.parse`, `rows.rows_of` and `models.rows.encode` read without a problem and
without a warning, to the same float32. Whatever is not surely such a row is None, and the caller asks those three.
"""

import struct
from collections.abc import Sequence
from itertools import compress
from operator import itemgetter, le
from typing import Any

import orjson

from models.cells import Odd, Refused, compile_column
from models.feature import Feature
from services.serving.answer import EXACT

# Bodies with null or without it, 1 as well as 1.0: a model sees a handful of patterns, an attacker makes many.
_MOST_PATTERNS = 256


# A row that is surely right: its n_features float32, and what the object said.
Plain = tuple[bytes, dict[str, Any]]


class RowReader:
    """Reads one model's rows."""

    def __init__(self, features: Sequence[Feature]) -> None:
        columns = [compile_column(feature) for feature in features]
        names = [feature.name for feature in features]
        self._n_features = len(features)
        # Of one name, itemgetter gives the value itself.
        self._values = itemgetter(*names) if len(names) > 1 else lambda row: (row[names[0]],)
        self._cells = [column.cell for column in columns]
        self._numeric = all(feature.dtype in ("float", "integer") for feature in features)
        self._lows = [max(column.low, -EXACT) for column in columns]
        self._highs = [min(column.high, EXACT) for column in columns]
        self._integers = [feature.dtype == "integer" for feature in features]
        self._any_integer = any(self._integers)
        self._pack = struct.Struct(f"{self._n_features}f").pack
        self._patterns: dict[tuple[type, ...], tuple[bool, int]] = {}

    def read(self, body: bytes) -> Plain | None:
        """The row, or None where it is not surely plain."""
        try:
            row = orjson.loads(body)
        except ValueError:
            return None
        if type(row) is not dict or len(row) != self._n_features:
            return None
        try:
            values = self._values(row)
        except KeyError:
            return None
        kinds = tuple(map(type, values))
        plain, quotes = self._patterns.get(kinds) or self._pattern(kinds)
        # orjson keeps the last of two values under one name: then there are more quotes than names and strings need.
        # Within escapes quotes would not count.
        if body.count(b'"') != quotes or b"\\" in body:
            return None
        if plain:
            if not (all(map(le, self._lows, values)) and all(map(le, values, self._highs))):
                return None
            if self._any_integer and not all(map(float.is_integer, map(float, compress(values, self._integers)))):
                return None
            return self._pack(*values), row
        return self._by_cell(row, values)

    def _by_cell(self, row: dict[str, Any], values: Sequence[Any]) -> Plain | None:
        for value in values:
            if type(value) in (int, float) and not -EXACT < value < EXACT:
                return None
        try:
            numbers = [cell(value) for cell, value in zip(self._cells, values, strict=True)]
        except (Refused, Odd):
            return None
        return self._pack(*numbers), row

    def _pattern(self, kinds: tuple[type, ...]) -> tuple[bool, int]:
        """Whether these types are numbers for a model of numbers alone, and how many quotes such a body has."""
        found = (self._numeric and set(kinds) <= {int, float}, 2 * (self._n_features + kinds.count(str)))
        if len(self._patterns) < _MOST_PATTERNS:
            self._patterns[kinds] = found
        return found
