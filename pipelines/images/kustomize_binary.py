"""kustomize as a program for an image: for Linux, at the pinned version, whatever this machine itself uses.

What `make tools` put into `.tools/` may be a small script that calls kubectl, or a program for macOS.
"""

import json
import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from pipelines.tools.table import KUSTOMIZE
from pipelines.tools.ways import Say, from_module, from_release, linux
from pipelines.versions import ToolMissing, read_versions

KUSTOMIZE_BINARY = Path("build/images/kustomize")
_RECORD = KUSTOMIZE_BINARY.with_suffix(".json")


def put_kustomize(root: Path, say: Say) -> Path:
    """Puts kustomize into the build's context, unless the pinned one is there.

    Args:
        root: the checkout.
        say: gets one line for each thing done.

    Raises:
        ToolTampered: a download's sha256 is not the pinned one.
        ToolMissing: neither the release nor Go led to one.
    """
    path, record = root / KUSTOMIZE_BINARY, root / _RECORD
    versions = read_versions(root)
    wanted = {"version": versions["KUSTOMIZE_VERSION"], "platform": linux()}
    if path.exists() and record.exists() and json.loads(record.read_text(encoding="utf-8")) == wanted:
        return path
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = _kept(wanted)
    if not kept.exists():
        kept.parent.mkdir(parents=True, exist_ok=True)
        _get(versions, kept, say)
    partial = path.with_suffix(".partial")
    shutil.copyfile(kept, partial)
    partial.chmod(0o755)
    os.utime(partial, (0, 0))
    os.replace(partial, path)
    record.write_text(json.dumps(wanted), encoding="utf-8")
    return path


def _kept(wanted: Mapping[str, str]) -> Path:
    """Where it is kept for other checkouts of this user: building it takes a minute."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    return cache / "mainline" / f"kustomize-{wanted['version']}-{wanted['platform']}"


def _get(versions: Mapping[str, str], kept: Path, say: Say) -> None:
    reasons = []
    for way in (from_release, from_module):
        with tempfile.TemporaryDirectory(dir=kept.parent, prefix="getting-") as scratch:
            try:
                way(KUSTOMIZE, versions, Path(scratch), say, linux())
            except ToolMissing as err:
                reasons.append(str(err))
                say(f"kustomize: {err}")
                continue
            os.replace(Path(scratch) / KUSTOMIZE.name, kept)
        return
    raise ToolMissing(f"kustomize for the trainer's image could not be had: {'; '.join(reasons)}. Install Go")
