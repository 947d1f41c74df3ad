"""Proposes another serving image for what an environment runs: `image` and `attempt` of one release.yaml change.

A new image is a change of its own, so that whoever sees a rollout go wrong knows what was new. It walks through the
same steps and gates as a new version does. Its attempt is raised, and so its ending is noted apart from the former.
"""

from dataclasses import replace
from pathlib import Path

from models.errors import ConfigError, GateClosed
from models.release import Release, read_release, release_path, render_release
from pipelines import forge
from pipelines.gitstore import Store, open_store
from pipelines.overlays import ENVIRONMENTS
from pipelines.proposal_body import changes
from pipelines.pull_requests import open_pull_request
from pipelines.standing import refuse_aborted, standings


def running(repo: str | Path, environment: str, *, base: str = "main") -> list[str]:
    """The models that are released in an environment, sorted.

    Raises:
        ConfigError: no such environment, or no such base.
    """
    if environment not in ENVIRONMENTS:
        raise ConfigError([f"env: got {environment!r}, must be one of {', '.join(ENVIRONMENTS)}"])
    with open_store(repo) as store:
        tip = _tip(store, base)
        listed = store.git("ls-tree", "--name-only", tip, f"kustomize/overlays/{environment}/").splitlines()
        names = [path.rpartition("/")[2] for path in listed]
        return sorted(
            name for name in names if (found := _release(store, tip, environment, name)) and found.is_released
        )


def propose_image(repo: str | Path, model: str, environment: str, image: str, *, base: str = "main") -> forge.Proposal:
    """Opens the proposal that gives a model's servers another image.

    Args:
        repo: the remote.
        model: the model's name.
        environment: where.
        image: the serving image, by digest.
        base: the branch that says what runs where.

    Returns:
        The open proposal; the same again where it is open already.

    Raises:
        ConfigError: no such model there, or the image is not named by digest.
        GateClosed: nothing is released there, it has the image already, its last rollout was aborted, or another
            proposal for it is open.
    """
    with open_store(repo) as store:
        now = _release(store, _tip(store, base), environment, model)
    if now is None:
        path = release_path(environment, model)
        raise ConfigError([f"{path}: not on {base} of {repo}: is {model!r} a model in {environment}?"])
    if not now.is_released:
        raise GateClosed(f"{model}: nothing is released to {environment}: its first release brings an image")
    if now.image == image:
        raise GateClosed(f"{model}: {environment} already runs {image}")
    refuse_aborted(now, environment)
    known = [each.attempt for each in standings(now, environment)]
    wanted = replace(now, image=image, attempt=str(max([int(now.attempt), *known]) + 1))
    text = render_release(wanted)
    _refuse_beside(repo, environment, wanted)
    proposal = forge.open_proposal(
        repo,
        forge.branch_name(environment, model, now.version),
        base,
        {release_path(environment, model): text},
        f"release: another image for {model} {now.version} in {environment}",
        f"{changes(now, wanted, environment)}\n\nThe model stays version {now.version}; its servers' image is another. "
        "It rolls out through the same steps and gates; `git revert` of the merge's change rolls back.",
    )
    open_pull_request(proposal, base=base)
    return proposal


def _refuse_beside(repo: str | Path, environment: str, wanted: Release) -> None:
    """Lets one proposal at a time change a release: a second one would close the first, or carry its former image.

    Raises:
        GateClosed: one is open, and it is not of an image for the same release.
    """
    path = release_path(environment, wanted.model)
    for other in forge.open_proposals(repo, wanted.model, environment):
        with open_store(repo) as store:
            text = store.read(other.commit, path)
        theirs = read_release(text) if text is not None else None
        if theirs is None or replace(theirs, image=wanted.image) != wanted:
            raise GateClosed(f"{other.branch}: is open and changes {path} too: merge or close it first")


def _tip(store: Store, base: str) -> str:
    tip = store.resolve(f"refs/heads/{base}")
    if tip is None:
        raise ConfigError([f"base: {store.remote} has no branch {base!r}"])
    return tip


def _release(store: Store, tip: str, environment: str, model: str) -> Release | None:
    text = store.read(tip, release_path(environment, model))
    return read_release(text) if text is not None else None
