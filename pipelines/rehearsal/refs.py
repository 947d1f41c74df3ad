"""The two states of git that a rehearsal compares: what the environment runs, and what it would run after the merge.

Each is exported into a folder of its own and built there by Kustomize, as Argo CD would build it. On top of the head's
overlay lies the component `kustomize/components/rehearsal`, which shortens windows and pauses and touches no threshold.
"""

import io
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

import yaml

from models.errors import ConfigError
from models.release import Release, read_release, release_path, render_release
from pipelines import forge
from pipelines.build import build_folder, build_overlay, objects
from pipelines.source import current_source, git

COMPONENT = "kustomize/components/rehearsal"
# All that Kustomize reads; models for their components and gates.
_EXPORTED = ("kustomize", "manifests", "models", "versions.env")


@dataclass(frozen=True)
class Ref:
    """A state of the repository.

    Attributes:
        name: as a person knows it: a branch, a commit, or `working tree`.
        commit: its commit; of a working tree with changes, one that no branch names.
        tree: the tree that is built: the commit's own, or what merging it gives.
    """

    name: str
    commit: str
    tree: str


@dataclass(frozen=True)
class Side:
    """One state, exported and built.

    Attributes:
        ref: which.
        folder: the exported tree.
        environment: staging or production.
        release: what the environment runs there.
        built: the overlay's objects, as YAML.
    """

    ref: Ref
    folder: Path
    environment: str
    release: Release
    built: str


def choose(root: Path, model: str, environment: str, *, base: str, head: str, repo: str) -> tuple[Ref, Ref]:
    """Base and head of a rehearsal, with the head merged into the base where neither holds the other.

    Args:
        root: the checkout.
        model: the model's name.
        environment: staging or production.
        base: a branch or commit; empty takes `main` as the proposal's repository has it, else as this checkout has it.
        head: a branch or commit; empty takes the environment's one open proposal, else the files as they lie here.
        repo: where proposals are.

    Raises:
        ConfigError: a ref that does not exist, more than one open proposal, or a head that does not merge.
    """
    if head:
        after = _named(root, head)
        before = _named(root, base) if base else _main(root)
    elif proposal := _proposal(repo, model, environment):
        commits = _fetched(root, repo, [proposal.branch] if base else [proposal.branch, "main"])
        after = _at(root, proposal.branch, commits[0])
        before = _named(root, base) if base else _at(root, "main", commits[1])
    else:
        source = current_source(root)
        after = _at(root, "working tree" if source.dirty else source.branch, source.commit)
        before = _named(root, base) if base else _main(root)
    return before, _merged(root, before, after)


def export(root: Path, ref: Ref, folder: Path) -> None:
    """Writes what Kustomize reads of a state into `folder`."""
    folder.mkdir(parents=True)
    archived = subprocess.run(
        ["git", "-C", str(root), "archive", "--format=tar", ref.tree, "--", *_EXPORTED],
        capture_output=True,
        check=False,
    )
    if archived.returncode != 0:
        raise ConfigError([f"{ref.name}: {archived.stderr.decode(errors='replace').strip()}"])
    with tarfile.open(fileobj=io.BytesIO(archived.stdout)) as tar:
        tar.extractall(folder, filter="data")


def side(root: Path, ref: Ref, folder: Path, environment: str, model: str) -> Side:
    """A state exported into `folder` and built.

    Raises:
        ConfigError: it has no such overlay, or one that does not build.
    """
    export(root, ref, folder)
    built = build_overlay(folder, environment, model)
    return Side(ref, folder, environment, read_release(folder / release_path(environment, model)), built)


def rehearsed(head: Side, environment: str, model: str) -> list[dict[str, object]]:
    """The head's objects as the rehearsal walks them: its overlay with the rehearsal's component on top.

    Raises:
        ConfigError: the head has no such component, or the two do not build together.
    """
    if not (head.folder / COMPONENT / "kustomization.yaml").is_file():
        raise ConfigError([f"{head.ref.name}: {COMPONENT}: missing, so there are no short windows to rehearse with"])
    overlay = head.folder / "kustomize" / "rehearsed"
    overlay.mkdir()
    document = {
        "apiVersion": "kustomize.config.k8s.io/v1beta1",
        "kind": "Kustomization",
        "resources": [f"../overlays/{environment}/{model}"],
        "components": ["../components/rehearsal"],
    }
    (overlay / "kustomization.yaml").write_text(yaml.safe_dump(document), encoding="utf-8")
    return objects(build_folder(head.folder, "kustomize/rehearsed"))


def restores(root: Path, base: Ref, head: Side, window: int) -> bool:
    """Whether the head's release is one of the last `window` that the base had before its own."""
    path = release_path(head.environment, head.release.model)
    former: list[str] = []
    for commit in git(root, "log", "--format=%H", "--max-count=50", base.commit, "--", path).split():
        text = git(root, "show", f"{commit}:{path}")
        if text not in former:
            former.append(text)
    return render_release(head.release).rstrip("\n") in former[1 : 1 + window]


def _proposal(repo: str, model: str, environment: str) -> forge.Proposal | None:
    found = forge.open_proposals(repo, model, environment)
    if len(found) > 1:
        names = ", ".join(proposal.branch for proposal in found)
        raise ConfigError([f"head: {len(found)} proposals are open ({names}): choose one with --head"])
    return found[0] if found else None


def _fetched(root: Path, repo: str, branches: list[str]) -> list[str]:
    """The commits of a repository's branches, which are then in this checkout's store; no ref of it moves."""
    commits = []
    for branch in branches:
        git(root, "fetch", "--quiet", "--no-tags", "--no-write-fetch-head", repo, f"refs/heads/{branch}")
        commits.append(git(root, "ls-remote", repo, f"refs/heads/{branch}").split("\t")[0])
    return commits


def _main(root: Path) -> Ref:
    """The main branch: this checkout's, or else its origin's; where there is none, the last commit."""
    for name in ("main", "origin/main"):
        if _resolve(root, name):
            return _named(root, name)
    return _named(root, "HEAD")


def _named(root: Path, name: str) -> Ref:
    commit = _resolve(root, name) or _resolve(root, f"origin/{name}")
    if commit is None:
        branches = git(root, "for-each-ref", "--format=%(refname:short)", "refs/heads", "refs/remotes").split()
        raise ConfigError([f"{name}: no such branch or commit; there are {', '.join(branches[:20]) or 'none'}"])
    return _at(root, name, commit)


def _resolve(root: Path, name: str) -> str | None:
    asked = ["git", "-C", str(root), "rev-parse", "--quiet", "--verify", "--end-of-options", f"{name}^{{commit}}"]
    done = subprocess.run(asked, capture_output=True, text=True, check=False)
    return done.stdout.strip() if done.returncode == 0 else None


def _at(root: Path, name: str, commit: str) -> Ref:
    return Ref(name, commit, git(root, "rev-parse", f"{commit}^{{tree}}"))


def _holds(root: Path, later: Ref, earlier: Ref) -> bool:
    ancestor = ["git", "-C", str(root), "merge-base", "--is-ancestor", earlier.commit, later.commit]
    return subprocess.run(ancestor, check=False, capture_output=True).returncode == 0


def _merged(root: Path, base: Ref, head: Ref) -> Ref:
    """The head with the tree that merging it into the base gives: that is what would be deployed."""
    if _holds(root, head, base):
        return head
    if _holds(root, base, head):
        said = f"{base.name} has all of it, so a merge changes nothing"
        raise ConfigError([f"{head.name}: {said}; for a step back, name the branch of a revert"])
    merge = ["git", "-C", str(root), "merge-tree", "--write-tree", "--no-messages", base.commit, head.commit]
    done = subprocess.run(merge, capture_output=True, text=True, check=False)
    if done.returncode != 0:
        said = done.stderr.strip() or "they changed the same lines"
        raise ConfigError([f"{head.name} does not merge into {base.name} ({said}): merge {base.name} into it first"])
    return Ref(head.name, head.commit, done.stdout.split()[0])
