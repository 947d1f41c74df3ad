"""What a proposal is and how it is written into a branch and its one commit. The forge's words; no git remote here."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from enum import StrEnum

from models.errors import ConfigError
from models.release import Release, read_release, release_path
from pipelines.gitstore import Store

_BRANCH = re.compile(r"propose/(?P<environment>[a-z][a-z0-9-]*)/(?P<model>[a-z][a-z0-9]*)/(?P<version>[1-9][0-9]*)")
_DRAFT = "Mainline-Draft: yes"


class State(StrEnum):
    """What became of a proposal."""

    OPEN = "open"
    CURRENT = "current"
    SUPERSEDED = "superseded"


@dataclass(frozen=True)
class Proposal:
    """A proposed release, or why there is none.

    Attributes:
        state: open; `current` (the base already says so) or `superseded` (a later commit's is there): nothing opened.
        reason: a sentence for a person where nothing was opened, else empty.
        commit: the proposal's commit; empty where nothing was opened.
        draft: whether it asks a person to decide an inconclusive gate before it may be merged.
        superseded: branches of older proposals that this one closed.
    """

    repo: str
    branch: str
    environment: str
    model: str
    version: str
    title: str
    body: str
    draft: bool = False
    state: State = State.OPEN
    commit: str = ""
    reason: str = ""
    superseded: tuple[str, ...] = ()


def branch_name(environment: str, model: str, version: str) -> str:
    """The branch that proposes a version of a model for an environment."""
    return f"propose/{environment}/{model}/{version}"


def only_release(wanted: Proposal, files: Mapping[str, str]) -> Release:
    """The release that a proposal's one file holds.

    Raises:
        ConfigError: other files, or a release that is not the one that the branch names.
    """
    path = release_path(wanted.environment, wanted.model)
    if list(files) != [path]:
        raise ConfigError([f"{wanted.branch}: changes {', '.join(files) or 'nothing'}, must change {path} alone"])
    release = read_release(files[path])
    problems = []
    if (release.model, release.version) != (wanted.model, wanted.version):
        problems.append(f"{wanted.branch}: {path} releases {release.model} {release.version}: name the branch after it")
    if not release.is_released:
        problems.append(f"{wanted.branch}: {path} is unreleased: there is nothing to propose")
    if problems:
        raise ConfigError(problems)
    return release


def blank(repo: str, branch: str, title: str, body: str, draft: bool) -> Proposal:
    """A proposal before it is a commit.

    Raises:
        ConfigError: the branch is not named as one.
    """
    match = _BRANCH.fullmatch(branch)
    if match is None:
        raise ConfigError([f"branch: got {branch!r}, must be propose/<environment>/<model>/<version>"])
    return Proposal(repo, branch, match["environment"], match["model"], match["version"], title, body, draft)


def message(proposal: Proposal) -> str:
    """The commit's message: title, report, and whether it is a draft."""
    parts = [proposal.title, proposal.body.strip(), _DRAFT if proposal.draft else ""]
    return "\n\n".join(part for part in parts if part)


def same_message(store: Store, commit: str, expected: str) -> bool:
    """Whether a commit says what is expected."""
    return store.git("log", "-1", "--format=%B", commit) == expected.strip()


def listed(store: Store, model: str | None = None, environment: str | None = None) -> list[Proposal]:
    """The proposals among a store's branches, by environment, model and version."""
    found = []
    for branch, commit in store.branches("propose/").items():
        match = _BRANCH.fullmatch(branch)
        if match is None or match["model"] != (model or match["model"]):
            continue
        if match["environment"] != (environment or match["environment"]):
            continue
        title, _, body = store.git("log", "-1", "--format=%B", commit).partition("\n")
        draft = _DRAFT in body.splitlines()
        text = body.replace(_DRAFT, "").strip()
        found.append(replace(blank(store.remote, branch, title, text, draft), commit=commit))
    return sorted(found, key=lambda proposal: (proposal.environment, proposal.model, int(proposal.version)))


def is_merged(store: Store, proposal: Proposal, tip: str) -> bool:
    """Whether the base has a proposal whose branch was left behind: merged, or its file as one commit of its own."""
    path = release_path(proposal.environment, proposal.model)
    return store.is_ancestor(proposal.commit, tip) or store.read(tip, path) == store.read(proposal.commit, path)


def merged_away(proposal: Proposal) -> list[tuple[str, str | None, str | None]]:
    """The moves that take a merged proposal's branch away and keep its commit, under `refs/merged/`."""
    kept = f"refs/merged/{proposal.branch}/{proposal.commit[:12]}"
    return [(f"refs/heads/{proposal.branch}", proposal.commit, None), (kept, None, proposal.commit)]
