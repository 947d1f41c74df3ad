"""Asks a server a few requests and holds each answer against scikit-learn's: nothing is timed that answers wrongly."""

import http.client
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType
from typing import Self

import numpy as np

from tests.bench.bodies import Body
from tests.bench.estimators import Made
from tests.bench.labels import UnreadableError
from tests.bench.targets import Way

_SECONDS = 60.0
_SINGLE, _LARGE = (128, 16), (4, 4)  # requests, and connections that send them together


class NotServedError(Exception):
    """The server has no such route."""


class WrongAnswerError(Exception):
    """An answer that is none, or not scikit-learn's."""


class Asker:
    """One kept connection."""

    def __init__(self, port: int) -> None:
        self._connection = http.client.HTTPConnection("127.0.0.1", port, timeout=_SECONDS)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, at: TracebackType | None) -> None:
        self._connection.close()

    def post(self, path: str, body: Body) -> tuple[bytes, dict[str, str]]:
        """The answer's body and headers, their names in lower case.

        Raises:
            NotServedError: 404 or 405.
            WrongAnswerError: any other status but 200.
        """
        self._connection.request("POST", path, body.content, dict(body.headers))
        answer = self._connection.getresponse()
        content = answer.read()
        if answer.status in (404, 405):
            raise NotServedError(f"{path}: not served yet ({answer.status})")
        if answer.status != 200:
            raise WrongAnswerError(f"{path}: {answer.status} {content[:300].decode(errors='replace')}")
        return content, {name.lower(): value for name, value in answer.getheaders()}


def ask(asker: Asker, way: Way, made: Made, at: int, n_rows: int) -> None:
    """Posts the rows from `at` on.

    Raises:
        NotServedError: there is no such route.
        WrongAnswerError: the answer is not what scikit-learn answers for these rows.
    """
    rows = made.rows[at : at + n_rows]
    content, headers = asker.post(way.route(made.name, n_rows), way.form(rows, made.features))
    if way.read is None:
        return
    try:
        found = way.read(content, headers, made.bundle.manifest.classes)
    except (UnreadableError, ValueError, KeyError, TypeError) as error:
        raise WrongAnswerError(f"{way.name}: {type(error).__name__}: {error}; got {content[:200]!r}") from error
    expected = made.labels[at : at + n_rows]
    if len(found) != n_rows:
        raise WrongAnswerError(f"{way.name}: {len(found)} answers to {n_rows} rows")
    if differ := np.flatnonzero(found != expected).tolist():
        raise WrongAnswerError(
            f"{way.name}: {len(differ)} of {n_rows} rows from {at} on are answered otherwise than by scikit-learn, "
            f"the first is row {at + differ[0]}: {found[differ[0]]}, not {expected[differ[0]]}"
        )


def check(port: int, way: Way, made: Made, n_rows: int) -> None:
    """Different requests over several connections at once, so that answers which batching has mixed up show.

    Raises:
        NotServedError, WrongAnswerError: as for `ask`.
    """
    count, connections = _SINGLE if n_rows == 1 else _LARGE

    def several(first: int) -> None:
        with Asker(port) as asker:
            for number in range(first, count, connections):
                ask(asker, way, made, number * n_rows, n_rows)

    with ThreadPoolExecutor(connections) as pool:
        list(pool.map(several, range(connections)))
