"""Compile pyproject.toml's dependency groups into hashed requirements files, one a component.

`dev` is compiled first and constrains the others, so that one version of a package serves every image and this machine.
Such a file names no host: the index is the reader's own setting. Run by `make locks`.
"""

import os
import subprocess
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
FIRST = "dev"


def groups(root: Path) -> list[str]:
    """Names of the dependency groups, the constraining one first."""
    declared = tomllib.loads((root / "pyproject.toml").read_text())["dependency-groups"]
    return [FIRST, *sorted(set(declared) - {FIRST})]


def compile_group(root: Path, group: str) -> Path:
    """Write requirements/<group>.txt by way of a temporary name.

    Raises:
        subprocess.CalledProcessError: uv found no set of versions that satisfies the group.
    """
    lock = root / "requirements" / f"{group}.txt"
    partial = lock.with_suffix(".partial")
    # the old lock is uv's preference: what need not move stays
    if lock.exists():
        partial.write_bytes(lock.read_bytes())
    constraint = [] if group == FIRST else ["--constraint", str(root / "requirements" / f"{FIRST}.txt")]
    uv = [sys.executable, "-m", "uv", "pip", "compile", "--quiet", "--no-header", "--no-annotate"]
    pinned = ["--universal", "--generate-hashes", "--python-version", "3.11"]
    subprocess.run(
        [*uv, *pinned, "--group", f"{root / 'pyproject.toml'}:{group}", *constraint, "--output-file", str(partial)],
        check=True,
    )
    os.replace(partial, lock)
    return lock


if __name__ == "__main__":
    for name in groups(ROOT):
        print(f"requirements/{name}.txt", flush=True)
        compile_group(ROOT, name)
