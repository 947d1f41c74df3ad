"""The binaries that the loop needs and pip cannot bring: kustomize and Prometheus, in `.tools/`.

Builds ask `kustomize`, rehearsals `prometheus`; `make tools` calls `python -m pipelines.tools`, which puts both there.
What each tool is stands in `table`, how it is had in `ways`. Runs before there is a virtual environment: standard
library only.
"""

import json
import os
import tempfile
from collections.abc import Sequence
from pathlib import Path

from pipelines.tools.table import KUSTOMIZE, PROMETHEUS, Tool
from pipelines.tools.ways import WAYS, Say, Way
from pipelines.versions import ToolMissing, read_versions, suits

__all__ = ["ROOT", "install", "kustomize", "prometheus", "promtool"]

ROOT = Path(__file__).resolve().parents[2]


def kustomize(root: Path) -> list[str]:
    """The command that `build FOLDER` is appended to.

    Args:
        root: the checkout whose `.tools/` is asked first; then that of the installed `pipelines`, then PATH.

    Raises:
        ToolMissing: none of them has a kustomize that suits.
    """
    return _command(root, KUSTOMIZE, "kustomize")


def prometheus(root: Path) -> list[str]:
    """The command that starts Prometheus; asked for as `kustomize` is."""
    return _command(root, PROMETHEUS, "prometheus")


def promtool(root: Path) -> list[str]:
    """The command of promtool, which comes with Prometheus; asked for as `kustomize` is."""
    return _command(root, PROMETHEUS, "promtool")


def install(root: Path, tool: Tool = KUSTOMIZE, *, say: Say, ways: Sequence[Way] = WAYS) -> str:
    """Puts a tool that suits into `.tools/` and records which.

    Args:
        root: the checkout.
        tool: which one.
        say: gets one line for each thing done.
        ways: how to get it, in order.

    Returns:
        The version that is now in `.tools/`.

    Raises:
        ToolTampered: a download's sha256 is not the pinned one.
        ToolMissing: no way led to one; the message says what each said and what to install.
    """
    versions = read_versions(root)
    tools = root / ".tools"
    present = tool.version([str(tools / tool.name)])
    if suits(present, versions, tool.key) and all((tools / program).exists() for program in tool.programs):
        say(f"{tool.name} {present}: already in .tools/")
        return str(present)
    tools.mkdir(exist_ok=True)
    reasons = []
    for way in ways:
        with tempfile.TemporaryDirectory(dir=tools, prefix="getting-") as scratch:
            try:
                source = way(tool, versions, Path(scratch), say)
            except ToolMissing as err:
                reasons.append(str(err))
                say(f"{tool.name}: {err}")
                continue
            version = _version_of_all(tool, Path(scratch))
            if not suits(version, versions, tool.key):
                reasons.append(f"{source} says its version is {version}")
                continue
            _put(tool, Path(scratch), tools, {"source": source, "version": str(version)})
        say(f"{tool.name} {version}: from {source}")
        return str(version)
    raise ToolMissing(f"{tool.name} could not be had: {'; '.join(reasons)}. {tool.remedy.format_map(versions)}")


def _version_of_all(tool: Tool, folder: Path) -> str | None:
    """The version that all of a tool's programs tell; None where they differ or one does not answer."""
    for program in tool.programs:
        (folder / program).chmod(0o755)
    told = {tool.version([str(folder / program)]) for program in tool.programs}
    return told.pop() if len(told) == 1 else None


def _put(tool: Tool, scratch: Path, tools: Path, record: dict[str, str]) -> None:
    (scratch / "record").write_text(json.dumps(record) + "\n", encoding="utf-8")
    os.replace(scratch / "record", tools / f"{tool.name}.json")
    for program in tool.programs:
        os.replace(scratch / program, tools / program)


def _command(root: Path, tool: Tool, program: str) -> list[str]:
    for folder in dict.fromkeys((root, ROOT)):
        if (folder / ".tools" / program).exists():
            return [str(folder / ".tools" / program)]
    found = tool.on_path(read_versions(root if (root / "versions.env").exists() else ROOT))
    if found is None:
        raise ToolMissing(f"{program}: neither in {root / '.tools'} nor on PATH (or too old): run `make tools`")
    return found[program]
