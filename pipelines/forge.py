"""Proposals to change what an environment runs: opened, superseded, closed and merged, in any git remote.

A proposal is a branch `propose/<env>/<model>/<version>` with one commit that changes one file; the commit's message is
the title and the report that a reviewer reads. Everything is built beside the remote and published by one atomic push,
so that a process killed at any instant leaves a whole proposal or none. Where there is no forge, `merge` is the button.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from models.errors import ConfigError, GateClosed
from models.release import Release, read_release, release_path
from pipelines.gitstore import Outpaced, Store, open_store
from pipelines.proposal import (
    Proposal,
    State,
    blank,
    branch_name,
    is_merged,
    listed,
    merged_away,
    message,
    only_release,
    same_message,
)

__all__ = ["Proposal", "State", "branch_name", "close", "merge", "open_proposal", "open_proposals"]

Remote = str | Path
T = TypeVar("T")

# Others push at the same time, each once: five lost races in a row mean something else is wrong.
_TRIES = 5


def open_proposal(
    repo: Remote, branch: str, base: str, files: Mapping[str, str], title: str, body: str, draft: bool = False,
    *, in_order_of_history: bool = True,
) -> Proposal:  # fmt: skip
    """Opens a proposal and closes the older ones for the same model and environment.

    Args:
        repo: the remote.
        branch: `propose/<env>/<model>/<version>`.
        base: the branch that it is to be merged into.
        files: the changed file's path and text: the release.yaml of that environment and model, nothing else.
        title: one line.
        body: the report, Markdown.
        draft: marks it as waiting for a person's decision.
        in_order_of_history: whether a release from a later commit wins over this one (training); a person's promotion
            may go back.

    Returns:
        The open proposal; the same again where it is open already; or one whose state says why nothing was opened.

    Raises:
        ConfigError: the branch's name or the files are not a proposal's.
        GitFailed: the remote is not to be had, or has no such base.
    """
    wanted = blank(str(repo), branch, title, body, draft)
    release = only_release(wanted, files)
    return _retried(lambda: _open(repo, wanted, base, files, release, in_order_of_history))


def open_proposals(
    repo: Remote, model: str | None = None, environment: str | None = None, base: str = "main"
) -> list[Proposal]:
    """The proposals that are open in a remote, by environment, model and version.

    One that a forge's button merged into the base is not, though its branch may be there still.
    """
    with open_store(repo) as store:
        tip = store.resolve(f"refs/heads/{base}")
        return [each for each in listed(store, model, environment) if tip is None or not is_merged(store, each, tip)]


def close(proposal: Proposal, reason: str) -> None:
    """Takes a proposal off the list; its commits and the reason stay under `refs/closed/`.

    Raises:
        ConfigError: it is not open.
    """

    def closing() -> None:
        with open_store(proposal.repo) as store:
            tip = store.branches(proposal.branch).get(proposal.branch)
            if tip is None:
                raise ConfigError([f"{proposal.branch}: is not open in {proposal.repo}"])
            store.publish(_closing(store, proposal.branch, tip, reason))

    _retried(closing)


def merge(repo: Remote, branch: str, approver: str, base: str = "main", *, accept_draft: bool = False) -> str:
    """Merges a proposal, as a forge's button does, with the approver as the merge's author.

    Args:
        repo: the remote.
        branch: the proposal's.
        approver: `Name <address>` of the person who merges.
        base: the branch that is merged into.
        accept_draft: merge although a gate was inconclusive: the person decides it.

    Returns:
        The merge commit. The branch is then under `refs/merged/`.

    Raises:
        ConfigError: no such proposal, or the approver is not a name and an address.
        GateClosed: it is a draft, or the base changed the same file since it was opened.
    """
    if not re.fullmatch(r"[^<>\n]*[^<>\s] <[^<>\s]+>", approver):
        raise ConfigError([f"approver: got {approver!r}, must be `Name <address>`: a merge is somebody's"])
    return _retried(lambda: _merge(repo, branch, approver, base, accept_draft))


def _open(
    repo: Remote, wanted: Proposal, base: str, files: Mapping[str, str], release: Release, ordered: bool
) -> Proposal:
    (path,) = files
    with open_store(repo) as store:
        tip = _tip(store, base)
        if store.read(tip, path) == files[path]:
            return _not_opened(wanted, State.CURRENT, f"{base} already has version {release.version} in {path}")
        if ordered and (later := _later(store, tip, path, release)):
            return _not_opened(wanted, State.SUPERSEDED, f"{base} has {later}")
        text = message(wanted)
        moves: list[tuple[str, str | None, str | None]] = []
        older, same = [], None
        for other in listed(store, wanted.model, wanted.environment):
            if ordered and (later := _later(store, other.commit, path, release)):
                return _not_opened(wanted, State.SUPERSEDED, f"{other.branch} has {later}")
            if other.branch == wanted.branch:
                same = other.commit
            elif is_merged(store, other, tip):
                moves += merged_away(other)
            else:
                older.append(other.branch)
                moves += _closing(store, other.branch, other.commit, f"superseded by {wanted.branch}")
        if same and store.read(same, path) == files[path] and same_message(store, same, text):
            commit = same
        else:
            commit = store.commit([tip], files, text)
            moves.append((f"refs/heads/{wanted.branch}", same, commit))
        if moves:
            store.publish(moves)
    return replace(wanted, commit=commit, superseded=tuple(older))


def _merge(repo: Remote, branch: str, approver: str, base: str, accept_draft: bool) -> str:
    with open_store(repo) as store:
        found = [proposal for proposal in listed(store) if proposal.branch == branch]
        if not found:
            open_now = ", ".join(proposal.branch for proposal in listed(store)) or "none"
            raise ConfigError([f"{branch}: no such proposal in {repo}; open: {open_now}"])
        proposal = found[0]
        if proposal.draft and not accept_draft:
            raise GateClosed(
                f"{branch}: is a draft, a gate was inconclusive: decide it, then merge accepting the draft"
            )
        path = release_path(proposal.environment, proposal.model)
        tip = _tip(store, base)
        if store.read(tip, path) != store.read(f"{proposal.commit}~1", path):
            raise GateClosed(f"{branch}: {base} changed {path} since it was opened: propose again")
        text = store.read(proposal.commit, path) or ""
        message = f"merge: {proposal.title}\n\nProposal: {branch}\nApproved-by: {approver}"
        commit = store.commit([tip, proposal.commit], {path: text}, message, author=approver)
        store.publish([(f"refs/heads/{base}", tip, commit), *merged_away(proposal)])
        return commit


def _later(store: Store, commit: str, path: str, ours: Release) -> str | None:
    """Says which release at a commit is of a later commit than ours; None where it is not later."""
    text = store.read(commit, path)
    theirs = read_release(text) if text is not None else None
    if theirs is None or not theirs.is_released or theirs.digest == ours.digest:
        return None
    if theirs.commit == ours.commit:
        is_later = int(theirs.version) > int(ours.version)
    else:
        is_later = store.is_ancestor(ours.commit, theirs.commit)
    return f"version {theirs.version} of the later commit {theirs.commit[:12]}" if is_later else None


def _closing(store: Store, branch: str, tip: str, reason: str) -> list[tuple[str, str | None, str | None]]:
    note = store.commit([tip], {}, f"close {branch}\n\n{reason}")
    # The commit is part of the name: a branch may be closed more than once, and each is kept.
    return [(f"refs/heads/{branch}", tip, None), (f"refs/closed/{branch}/{tip[:12]}", None, note)]


def _tip(store: Store, base: str) -> str:
    tip = store.resolve(f"refs/heads/{base}")
    if tip is None:
        raise ConfigError(
            [f"base: {store.remote} has no branch {base!r}; it has {', '.join(store.branches('')) or 'none'}"]
        )
    return tip


def _not_opened(wanted: Proposal, state: State, reason: str) -> Proposal:
    return replace(wanted, state=state, reason=f"nothing proposed: {reason}")


def _retried(action: Callable[[], T]) -> T:
    for _ in range(_TRIES - 1):
        try:
            return action()
        except Outpaced:
            continue
    return action()
