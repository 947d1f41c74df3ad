"""The thin edge of every step: arguments in, output parameters to files, errors to one line and an exit code.

Exit codes: 0 done, 1 failure (worth a retry), 2 bad configuration or code, 3 refused by a gate or a check.
"""

import argparse
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from models.errors import MainlineError


def parser(name: str, description: str) -> argparse.ArgumentParser:
    """Argument parser of the step `name`; flags are never abbreviated: a workflow's text must not rely on it."""
    return argparse.ArgumentParser(
        prog=f"python -m pipelines.steps.{name}", description=description, allow_abbrev=False
    )


def flags(arguments: argparse.ArgumentParser, *names: str, kind: Callable[[str], object] = str) -> None:
    """Adds required flags of one kind."""
    for name in names:
        arguments.add_argument(name, required=True, type=kind)


def run(step: Callable[[Sequence[str] | None], None], argv: Sequence[str] | None = None) -> int:
    """Runs a step's main; a known error becomes its message on stderr and its exit code, others keep theirs."""
    try:
        step(argv)
    except MainlineError as error:
        print(f"{type(error).__name__}: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def truth(text: str) -> bool:
    """`true` or `false`, and nothing else: a mistyped flag must not read as clean."""
    if text not in ("true", "false"):
        raise argparse.ArgumentTypeError(f"got {text!r}; write true or false")
    return text == "true"


def write_output(path: Path, value: str) -> None:
    """Writes an output parameter whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_name(path.name + ".partial")
    partial.write_text(value, encoding="utf-8")
    partial.replace(path)
