"""Which commit an image is of, when that was made, and whose it is."""

from pathlib import Path

import pytest

from pipelines.images.revision import committed, revision, source_url
from pipelines.source import git


def test_revision_is_the_last_commit_that_changed_what_is_copied(tmp_path: Path) -> None:
    assert revision(tmp_path, "Dockerfile") == ""
    git(tmp_path, "init", "-q")
    (tmp_path / "code/inner").mkdir(parents=True)
    (tmp_path / "Dockerfile").write_text("FROM scratch\nCOPY --from=uv /x /x\nCOPY code/*.py /app/\n")
    for name in ("code/a.py", "code/inner/b.py", "README.md"):
        (tmp_path / name).write_text("1")
        git(tmp_path, "add", "-A")
        git(tmp_path, "commit", "-qm", name)
    first = git(tmp_path, "rev-list", "--max-parents=0", "HEAD")
    assert revision(tmp_path, "Dockerfile") == first
    (tmp_path / "code/inner/b.py").write_text("2")
    assert revision(tmp_path, "Dockerfile") == first
    (tmp_path / "code/a.py").write_text("2")
    assert revision(tmp_path, "Dockerfile") == f"{first}-dirty"


def test_time_of_a_commit_is_told_in_utc_and_none_of_changes_behind_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("GIT_COMMITTER_DATE", "2024-02-29T23:30:00-0200")
    git(tmp_path, "init", "-q")
    git(tmp_path, "commit", "-qm", "first", "--allow-empty")
    commit = git(tmp_path, "rev-parse", "HEAD")
    assert committed(tmp_path, commit) == "2024-03-01T01:30:00Z"
    assert committed(tmp_path, f"{commit}-dirty") == committed(tmp_path, "") == ""


@pytest.mark.parametrize(
    ("remote", "told"),
    [
        ("https://user:token@example.org/a/b.git", "https://example.org/a/b.git"),
        ("http://127.0.0.1:3000/a.git", "http://127.0.0.1:3000/a.git"),
        ("/srv/a.git", ""),
        ("git@example.org:a/b.git", ""),
        ("", ""),
    ],
)
def test_source_names_the_repository_and_nobodys_password(tmp_path: Path, remote: str, told: str) -> None:
    git(tmp_path, "init", "-q")
    if remote:
        git(tmp_path, "remote", "add", "origin", remote)
    assert source_url(tmp_path) == told
