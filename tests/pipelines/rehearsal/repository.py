"""A scratch checkout with this one's overlays, in which production runs version 1 of diabetes."""

import shutil
import subprocess
from pathlib import Path

from models.bundle import Bundle
from models.release import THIS_MACHINE, Release, release_path, render_release, unreleased
from pipelines import forge
from pipelines.rehearsal import refs
from pipelines.tools import ROOT

MODEL, ENVIRONMENT = "diabetes", "production"
PATH = release_path(ENVIRONMENT, MODEL)


def release(version: str, *, attempt: str = "1", bundle: Bundle | None = None) -> Release:
    """A release of a bundle, or of one that does not exist."""
    digit = version[-1]
    return Release(
        image=THIS_MACHINE,
        model=MODEL,
        version=version,
        uri=bundle.folder.as_uri() if bundle else f"file:///bundles/{version}",
        digest=bundle.digest if bundle else f"sha256:{digit * 64}",
        run=f"run{version}",
        commit=digit * 40,
        attempt=attempt,
    )


class Repository:
    """The checkout."""

    def __init__(self, root: Path, bundle: Bundle | None = None) -> None:
        self.root = root
        for name in ("kustomize", "manifests", "models"):
            shutil.copytree(ROOT / name, root / name, ignore=shutil.ignore_patterns("__pycache__", "*.py"))
        for name in ("versions.env", "data.dvc"):
            shutil.copy(ROOT / name, root / name)
        self.git("init", "--quiet", "--initial-branch=main")
        self.write(PATH, render_release(unreleased(MODEL)))
        self.commit("nothing released")
        self.write(PATH, render_release(release("1", bundle=bundle)))
        self.commit("release 1")

    @classmethod
    def at(cls, root: Path) -> "Repository":
        """A copy of one that was made."""
        found = cls.__new__(cls)
        found.root = root
        return found

    def git(self, *arguments: str) -> str:
        """What git prints."""
        done = subprocess.run(["git", "-C", str(self.root), *arguments], capture_output=True, text=True, check=True)
        return done.stdout.strip()

    def write(self, path: str, text: str) -> None:
        """Writes a file."""
        (self.root / path).write_text(text, encoding="utf-8")

    def edit(self, path: str, old: str, new: str) -> None:
        """Replaces text in a file, which must have it."""
        text = (self.root / path).read_text(encoding="utf-8")
        assert old in text, path
        self.write(path, text.replace(old, new))

    def commit(self, message: str, *, branch: str = "") -> str:
        """Commits everything, on a new branch where one is named; the checkout is on main afterwards."""
        if branch:
            self.git("switch", "--quiet", "--create", branch)
        self.git("add", "--all")
        self.git("commit", "--quiet", "--message", message)
        commit = self.git("rev-parse", "HEAD")
        if branch:
            self.git("switch", "--quiet", "main")
        return commit

    def choose(self, *, base: str = "", head: str = "") -> tuple[refs.Ref, refs.Ref]:
        """The two refs."""
        return refs.choose(self.root, MODEL, ENVIRONMENT, base=base, head=head, repo=str(self.root))

    def propose(self, version: str) -> forge.Proposal:
        """Opens a proposal."""
        branch = forge.branch_name(ENVIRONMENT, MODEL, version)
        text = render_release(release(version))
        return forge.open_proposal(str(self.root), branch, "main", {PATH: text}, f"release {version}", "report")

    def sides(self, folder: Path, *, base: str = "", head: str = "") -> tuple[refs.Side, refs.Side]:
        """Both refs, built."""
        before, after = self.choose(base=base, head=head)
        return (
            refs.side(self.root, before, folder / "base", ENVIRONMENT, MODEL),
            refs.side(self.root, after, folder / "head", ENVIRONMENT, MODEL),
        )
