"""Promotion: proposes that production runs what staging runs. The file is copied; a merge promotes."""

from dataclasses import replace
from pathlib import Path

from models.errors import ConfigError, GateClosed
from models.release import Release, read_release, release_path, render_release
from pipelines import forge
from pipelines.gitstore import open_store
from pipelines.proposal_body import changes
from pipelines.pull_requests import open_pull_request
from pipelines.standing import Ending, refuse_aborted, standings


def promote(
    repo: str | Path, model: str, to: str = "production", *, base: str = "main", again: bool = False
) -> forge.Proposal:
    """Opens the proposal that copies staging's release.yaml.

    Args:
        repo: the remote.
        model: the model's name.
        to: the environment that is to run it.
        base: the branch that says what runs where.
        again: sends a version whose rollout there was aborted through the gates once more, as a new attempt.

    Returns:
        The open proposal; the same again where it is open already. Where the environment names a forge's API it is a
        pull request too.

    Raises:
        ConfigError: there is nothing to promote to under that name, or no such model on the base.
        GateClosed: nothing was released to staging, production runs the same already, or the version's last rollout
            there was aborted and `again` was not asked for.
    """
    if to != "production":
        raise ConfigError([f"to: got {to!r}, must be 'production': staging's releases are proposed by training"])
    source, target = release_path("staging", model), release_path(to, model)
    with open_store(repo) as store:
        tip = store.resolve(f"refs/heads/{base}")
        texts = [store.read(tip, path) if tip else None for path in (source, target)]
    missing = [path for path, text in zip((source, target), texts, strict=True) if text is None]
    if missing:
        raise ConfigError([f"{path}: not on {base} of {repo}: is {model!r} a model there?" for path in missing])
    staging, production = (read_release(text or "") for text in texts)
    if not staging.is_released:
        raise GateClosed(f"{model}: nothing is released to staging: merge a proposal for staging first")
    release = _another_attempt(staging, to) if again else staging
    refuse_aborted(release, to)
    if release == production:
        raise GateClosed(f"{model}: {to} already runs version {release.version} ({release.digest})")
    proposal = forge.open_proposal(
        repo,
        forge.branch_name(to, model, staging.version),
        base,
        {target: render_release(release)},
        f"release: {model} {release.version} to {to}",
        f"{changes(production, release, to)}\n\n"
        "Staging runs this version. Merging promotes it; `git revert` of the merge's change rolls back.",
        in_order_of_history=False,
    )
    open_pull_request(proposal, base=base)
    return proposal


def _another_attempt(release: Release, to: str) -> Release:
    known = standings(release, to)
    if not known or known[-1].ending is not Ending.ABORTED:
        got = "completed" if known else "not there yet"
        name = f"{release.model} version {release.version}"
        raise ConfigError([f"again: {name} was {got} in {to}, only an aborted one is tried again"])
    return replace(release, attempt=str(max(each.attempt for each in known) + 1))
