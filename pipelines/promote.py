"""Promotion: proposes that production runs what staging runs. The file is copied byte for byte; a merge promotes."""

from pathlib import Path

from models.errors import ConfigError, GateClosed
from models.release import Release, read_release, release_path
from pipelines import forge
from pipelines.gitstore import open_store


def promote(repo: str | Path, model: str, to: str = "production", *, base: str = "main") -> forge.Proposal:
    """Opens the proposal that copies staging's release.yaml.

    Args:
        repo: the remote.
        model: the model's name.
        to: the environment that is to run it.
        base: the branch that says what runs where.

    Returns:
        The open proposal; the same again where it is open already.

    Raises:
        ConfigError: there is nothing to promote to under that name, or no such model on the base.
        GateClosed: nothing was released to staging, or production runs the same already.
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
    if staging == production:
        raise GateClosed(f"{model}: {to} already runs version {staging.version} ({staging.digest})")
    return forge.open_proposal(
        repo,
        forge.branch_name(to, model, staging.version),
        base,
        {target: texts[0] or ""},
        f"release: {model} {staging.version} to {to}",
        _body(production, staging, to),
        in_order_of_history=False,
    )


def _body(before: Release, after: Release, to: str) -> str:
    rows = [
        ("version", before.version if before.is_released else "none", after.version),
        ("digest", before.digest, after.digest),
        ("commit", before.commit, after.commit),
        ("run", before.run, after.run),
        ("image", before.image, after.image),
    ]
    lines = [f"| {name} | `{old}` | `{new}` |{'' if old == new else ' changes |'}" for name, old, new in rows]
    lines = [line if line.endswith("changes |") else f"{line} |" for line in lines]
    table = "\n".join([f"| | {to} now | after the merge | |", "|---|---|---|---|", *lines])
    return f"{table}\n\nStaging runs this release. Merging promotes it; `git revert` of the merge's change rolls back."
