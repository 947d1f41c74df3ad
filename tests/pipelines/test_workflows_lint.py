"""Argo's own linter finds nothing in what is rendered: unresolved references, unknown fields, wrong types."""

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from pipelines.render import ROOT, SOURCES

ARGO = shutil.which("argo", path=f"{os.environ.get('PATH', '')}:{Path.home() / '.cache/mainline-cluster/bin'}")


@pytest.mark.skipif(
    ARGO is None, reason="no `argo` on PATH or in ~/.cache/mainline-cluster/bin: `make cluster` builds it"
)
def test_rendered_workflows_pass_argo_lint() -> None:
    assert ARGO is not None
    folders = [str(ROOT / folder) for folder in SOURCES]
    done = subprocess.run([ARGO, "lint", "--offline", *folders], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
