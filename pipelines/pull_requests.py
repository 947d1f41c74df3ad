"""Proposals as pull requests, where the environment names a forge's API: what a reviewer reads and merges.

The branch is the proposal (`pipelines.forge`); its pull request follows it: opened with the report as its body, a draft
where a gate was inconclusive, closed when another supersedes it. Each call may be repeated. `Forge` is all that is
asked of a forge.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Protocol
from urllib.parse import urlsplit

from models.errors import ConfigError
from pipelines.forge_access import access
from pipelines.proposal import Proposal, State


class Fate(StrEnum):
    """What became of a pull request."""

    OPEN = "open"
    CLOSED = "closed"
    MERGED = "merged"


@dataclass(frozen=True)
class PullRequest:
    """A branch that somebody is asked to merge.

    Attributes:
        branch: the head, in the same repository.
        commit: the head's, as the forge last saw it.
        title: without the forge's mark of a draft.
        url: of the page that a person opens.
    """

    number: int
    fate: Fate
    branch: str
    commit: str
    base: str
    title: str
    body: str
    draft: bool
    url: str


class Forge(Protocol):
    """The pull requests of one repository."""

    def newest(self, branch: str, base: str) -> PullRequest | None:
        """The last that was opened for a branch, whatever became of it."""

    def create(self, branch: str, base: str, title: str, body: str, draft: bool) -> PullRequest:
        """Opens one; the branch is there, and has none that is open."""

    def change(self, number: int, title: str, body: str, draft: bool) -> PullRequest:
        """Replaces its text."""

    def close(self, number: int, reason: str) -> None:
        """Closes it unmerged, or finds it closed with its branch, and says why."""


def open_pull_request(proposal: Proposal, *, base: str = "main", environ: Mapping[str, str] = os.environ) -> str:
    """Brings the pull requests in line with what became of a proposal.

    Args:
        proposal: as `forge.open_proposal` returned it, its branch pushed.

    Returns:
        The address of its pull request; empty where nothing was proposed or no forge is named: the branch is all then.

    Raises:
        ForgeFailed: the forge did not answer as it should; a repeated call goes on.
    """
    forge = connect(proposal.repo, environ)
    found = None if forge is None else follow(forge, proposal, base)
    return "" if found is None else found.url


def follow(forge: Forge, proposal: Proposal, base: str) -> PullRequest | None:
    """As `open_pull_request`, in a forge at hand.

    One that a person closed, or merged, stays as it is: only another commit is asked about again.
    """
    for branch in proposal.superseded:
        older = forge.newest(branch, base)
        if older is not None and older.fate is not Fate.MERGED:
            forge.close(older.number, f"Superseded by `{proposal.branch}`.")
    if proposal.state is not State.OPEN:
        return None
    title, body, draft = proposal.title, proposal.body.strip(), proposal.draft
    found = forge.newest(proposal.branch, base)
    if found is None or (found.fate is not Fate.OPEN and proposal.commit not in ("", found.commit)):
        return forge.create(proposal.branch, base, title, body, draft)
    if found.fate is not Fate.OPEN or (found.title, found.body.strip(), found.draft) == (title, body, draft):
        return found
    return forge.change(found.number, title, body, draft)


def connect(repo: str, environ: Mapping[str, str] = os.environ) -> Forge | None:
    """The forge of the environment, for a repository that it holds; None where the environment names none.

    Raises:
        ConfigError: an API that is not spoken yet, or an address that names no repository.
    """
    account = access(environ)
    if account is None:
        return None
    if not account.api.endswith("/api/v1"):
        raise ConfigError([f"environment: MAINLINE_FORGE_API: got {account.api}, must be a Gitea's and end in /api/v1"])
    owner, _, name = urlsplit(repo).path.strip("/").removesuffix(".git").rpartition("/")
    if not owner or not name:
        raise ConfigError([f"repo: got {repo!r}, must end in /OWNER/NAME.git"])
    from pipelines.gitea import Gitea  # one of several to come; each knows this module

    return Gitea(account, f"{owner}/{name}")
