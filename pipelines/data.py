"""The data of a commit: one file of the folder that `data.dvc` pins, fetched by DVC, checked by its manifest."""

import hashlib
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import yaml

from pipelines.errors import ConfigError, DataMismatch

# DVC itself waits for ever for a store that hangs; an ordinary step is given 900 s.
_PULL_SECONDS = 600


def data_md5(source: Path) -> str:
    """The md5 of the data folder as the commit's `data.dvc` has it: the data version of every lineage.

    Raises:
        ConfigError: `data.dvc` is absent, or does not pin one folder.
    """
    path = source / "data.dvc"
    try:
        outs = yaml.safe_load(path.read_text(encoding="utf-8"))["outs"]
        (md5,) = [str(out["md5"]) for out in outs]
    except (OSError, KeyError, TypeError, ValueError, yaml.YAMLError) as error:
        raise ConfigError([f"{path}: got {error!r}, must pin one folder; write it with `dvc add data`"]) from error
    if not md5.endswith(".dir"):
        raise ConfigError([f"{path}: outs.md5: got {md5}, must be a folder's (ending in .dir); `dvc add data`"])
    return md5


def pull(source: Path, file: str, out: Path) -> str:
    """Brings `data/<file>` of the tree at `source` to `out/<file>`, checked, whole or not at all.

    Returns:
        The md5 of the data folder.

    Raises:
        DataMismatch: DVC failed, the version lacks the file, or the bytes are not what the manifest says.
    """
    md5 = data_md5(source)
    _dvc_pull(source, f"data/{file}")
    expected = _manifest(source, md5).get(file)
    if expected is None:
        raise DataMismatch(f"data/{file}: not in data version {md5}; add the file to data/ and run `dvc add data`")
    pulled = source / "data" / file
    got = hashlib.md5(pulled.read_bytes(), usedforsecurity=False).hexdigest()
    if got != expected:
        raise DataMismatch(
            f"data/{file}: got md5 {got}, data version {md5} has {expected}; the copy was changed, pull it anew"
        )
    target = out / file
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(target.name + ".partial")
    shutil.copyfile(pulled, partial)
    partial.replace(target)
    return md5


def _manifest(source: Path, md5: str) -> dict[str, str]:
    """File -> md5, from DVC's cache of the folder."""
    path = source / ".dvc" / "cache" / "files" / "md5" / md5[:2] / md5[2:]
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataMismatch(f"{path}: cannot be read ({error.strerror}); run `dvc pull`") from error
    if hashlib.md5(data, usedforsecurity=False).hexdigest() != md5.removesuffix(".dir"):
        raise DataMismatch(f"{path}: its bytes are not those of {md5}; delete it and run `dvc pull`")
    return {str(entry["relpath"]): str(entry["md5"]) for entry in json.loads(data)}


def _dvc_pull(source: Path, target: str) -> None:
    with tempfile.TemporaryDirectory(prefix="dvc-") as site:  # DVC's shared default may belong to another user
        environment = {**os.environ, "DVC_NO_ANALYTICS": "1", "DVC_SITE_CACHE_DIR": site, "DO_NOT_TRACK": "true"}
        command = [sys.executable, "-m", "dvc", "pull", "--force", target]
        try:
            done = subprocess.run(
                command, cwd=source, env=environment, capture_output=True, text=True, timeout=_PULL_SECONDS, check=False
            )
        except subprocess.TimeoutExpired as error:
            raise DataMismatch(
                f"`dvc pull {target}` in {source} took over {_PULL_SECONDS} s and was ended; is its remote reachable?"
            ) from error
    if done.returncode != 0:
        raise DataMismatch(f"`dvc pull {target}` in {source} failed ({done.returncode}): {done.stderr.strip()[-1000:]}")
