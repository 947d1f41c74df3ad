"""Errors that a person or a workflow reacts to, each with the exit code that the command line and the steps use.

0 ok, 1 failure (a workflow retries it), 2 bad configuration, 3 refused by a gate or a check.
Retries never repeat 2 or 3.
"""

from collections.abc import Sequence
from typing import ClassVar


class MainlineError(Exception):
    """Something failed; its message names the value, the rule and the remedy."""

    exit_code: ClassVar[int] = 1


class ConfigError(MainlineError):
    """A declaration is wrong. `problems` holds one line for each problem, all of them at once."""

    exit_code: ClassVar[int] = 2

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))


class GateClosed(MainlineError):  # noqa: N818  (the domain's word)
    """A gate or a check refused. Trying again changes nothing."""

    exit_code: ClassVar[int] = 3
