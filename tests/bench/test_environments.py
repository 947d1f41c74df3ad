import os
from pathlib import Path

import pytest

from tests.bench.environments import ROOT, SERVING, lock_of, megabytes
from tests.bench.targets import LIMIT, OURS, PEERS

TARGETS = (OURS, LIMIT, *PEERS)


@pytest.mark.parametrize("name", sorted({target.environment for target in TARGETS}))
def test_every_environment_has_a_hashed_lock_that_names_no_host(name: str) -> None:
    text = lock_of(name).read_text()
    pinned = [line for line in text.splitlines() if "==" in line]
    assert pinned
    assert text.count("--hash=sha256:") >= len(pinned)
    assert "://" not in text


@pytest.mark.parametrize("name", sorted({target.environment for target in PEERS}))
def test_peers_answer_with_the_scikit_learn_that_fitted_the_estimators(name: str) -> None:
    ours = next(
        line for line in (ROOT / "requirements" / "training.txt").read_text().splitlines() if "scikit-learn==" in line
    )
    assert ours.split()[0].partition(";")[0] in lock_of(name).read_text()


def test_no_two_servers_have_one_name() -> None:
    assert len({target.name for target in TARGETS}) == len(TARGETS)
    assert OURS.environment == SERVING


def test_a_size_leaves_out_compiled_python_and_counts_a_file_once(tmp_path: Path) -> None:
    block = b"x" * 2**20
    (tmp_path / "kept").write_bytes(block)
    os.link(tmp_path / "kept", tmp_path / "linked")
    (tmp_path / "m.pyc").write_bytes(block)
    (tmp_path / "__pycache__").mkdir()
    (tmp_path / "__pycache__" / "m").write_bytes(block)
    assert 1 <= megabytes(tmp_path) < 1.1
