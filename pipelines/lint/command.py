"""`mainline lint`: reads, judges, prints, and says by its exit code whether a gate fails open.

Exit codes, as linters have them: 0 nothing to say, 1 findings, 2 wrong usage or nothing that could be read.
"""

import difflib
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from models.errors import ConfigError
from pipelines.lint import sources
from pipelines.lint.catalogue import RULES
from pipelines.lint.finding import Rule, Severity
from pipelines.lint.formats import FORMATS, explain
from pipelines.lint.judge import Report, judge
from pipelines.lint.objects import ARGO
from pipelines.lint.origins import Origins

_GRAVEST_FIRST = tuple(Severity)


def lint(root: Path, paths: Sequence[Path], *, build: bool = False) -> Report:
    """The findings on what a person named; without a path, on every overlay of the checkout, built.

    Args:
        root: the checkout, for its overlays and its Kustomize.
        paths: files and folders, `-` for standard input.
        build: folders with a kustomization are built, each judged as a whole.

    Raises:
        ConfigError: a path does not exist, a folder does not build, or there is nothing to judge in one.
    """
    folders = [path for path in paths if build and sources.is_kustomization(path)]
    report = Report()
    origins = Origins({} if paths else sources.committed(root))
    for folder in folders if paths else sources.kustomizations(root):
        name = str(folder.relative_to(root) if folder.is_relative_to(root) else folder)
        text = sources.built(root, folder)
        found = judge({name: text}, complete=True)
        _something(name, found, [name])
        if not paths:
            found.findings = origins.traced(found.findings, text, name)
        report.add(found)
    rest = [path for path in paths if path not in folders]
    if rest:
        read = sources.texts(rest)
        found = judge(read.texts, closed=read.closed)
        for path in rest:
            if path.is_dir() or len(rest) == 1:
                _something(str(path), found, [*read.asked[str(path)], *_below(path, read.closed)])
        _something(", ".join(map(str, rest)), found, [*read.texts, *read.closed])
        report.add(found)
        report.unreadable += read.unreadable
    elif not folders and not report.files:
        raise ConfigError([f"{root}: no overlay under kustomize/overlays: nothing was judged; name a file or folder"])
    return report


def _below(path: Path, closed: Mapping[str, str]) -> list[str]:
    return [name for name in closed if Path(name).is_relative_to(path)]


def _something(asked: str, report: Report, files: Sequence[str]) -> None:
    """Refuses to call a path clean in which there was nothing to judge."""
    if report.gates.isdisjoint(files):
        left = [each for each in report.templated if each.rpartition(":")[0] in files]
        hint = f"; {len(left)} left out that an engine has to fill first: helm template ... | mainline lint -"
        kinds = f"{', '.join(ARGO[:-1])} or {ARGO[-1]}"
        raise ConfigError([f"{asked}: no {kinds} here: nothing was judged{hint if left else ''}"])


def exit_code(report: Report, fail_on: Severity) -> int:
    """1 where something at least as grave was found, else 0."""
    grave = _GRAVEST_FIRST[: _GRAVEST_FIRST.index(fail_on) + 1]
    return int(any(each.severity in grave for each in report.findings))


def formatter(name: str) -> Callable[[Report], str]:
    """How to print.

    Raises:
        ConfigError: there is no such format.
    """
    if name not in FORMATS:
        raise ConfigError([f"--format: got {name!r}, must be one of {', '.join(FORMATS)}"])
    return FORMATS[name]


def severity(name: str) -> Severity:
    """A severity by its name.

    Raises:
        ConfigError: there is no such severity.
    """
    if name not in list(Severity):
        raise ConfigError([f"--fail-on: got {name!r}, must be one of {', '.join(Severity)}"])
    return Severity(name)


def explained(number: str) -> str:
    """What a rule is about; every rule on a line for `all`.

    Raises:
        ConfigError: there is no such rule.
    """
    if number == "all":
        return "\n".join(f"{rule.number}  {rule.severity:<7}  {rule.name}: {rule.reason}" for rule in RULES)
    return explain(_rule(number))


def _rule(number: str) -> Rule:
    known = {rule.number: rule for rule in RULES}
    short = re.fullmatch(r"(?:ML)?0*(\d{1,3})", number.strip().upper())
    asked = f"ML{int(short.group(1)):03}" if short else number.upper()
    if asked in known:
        return known[asked]
    near = difflib.get_close_matches(asked, known, n=1)
    hint = f"did you mean {near[0]}?" if near else "`--explain all` lists them"
    raise ConfigError([f"--explain: no rule {number}; {hint}"])
