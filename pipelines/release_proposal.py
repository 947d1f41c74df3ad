"""Proposes a registered version for staging: release.yaml with the version's pins, and the evidence as the body."""

from pathlib import Path

from models.errors import ConfigError, GateClosed
from models.release import Release, read_release, release_path, render_release
from models.verdict import Verdict
from pipelines import forge, lineage, tracking
from pipelines.gitstore import open_store
from pipelines.jsonfile import read_json
from pipelines.proposal_body import body, title
from pipelines.pull_requests import open_pull_request

ENVIRONMENT = "staging"


def propose_release(model: str, run_id: str, version: str, *, decision: Path, repo: str, base: str) -> str:
    """Opens the proposal, or finds it open, or says why none is wanted; returns the line that tells which.

    Args:
        decision: folder with `metrics.json` as `register` decided.

    Raises:
        GateClosed: the version's gates failed, its tree was dirty, or the evaluation is of another bundle.
        RunNotFound: no such version.
    """
    registered, run = tracking.find_version(model, version), tracking.get_run(run_id)
    document = read_json(decision / "metrics.json")
    verdict = registered.tags.get(lineage.VERDICT, "")
    if verdict not in (Verdict.PASS, Verdict.INCONCLUSIVE) or registered.tags.get(lineage.DIRTY) != "false":
        raise GateClosed(
            f"{model} version {version}: got verdict {verdict or 'none'}, only a clean tree with open gates is proposed"
        )
    if (registered.digest, registered.run_id) != (document.get("digest"), run_id):
        got = f"{document.get('digest')} of run {run_id}"
        raise GateClosed(
            f"{model} version {version}: is {registered.digest} of run {registered.run_id}, the evaluation is of {got}"
        )
    release = Release(
        image=_image(repo, base, model),
        model=model,
        version=version,
        uri=registered.uri,
        digest=registered.digest,
        run=run_id,
        commit=registered.tags[lineage.COMMIT],
    )
    # verdicts as register decided them, not as the commit's code did
    draft = verdict == Verdict.INCONCLUSIVE
    plots = f"{run.artifacts}/evaluation"
    text = body(document, run.tags, version=version, uri=registered.uri, run_id=run_id, plots=plots)
    branch = forge.branch_name(ENVIRONMENT, model, version)
    files = {release_path(ENVIRONMENT, model): render_release(release)}
    proposal = forge.open_proposal(repo, branch, base, files, title(model, version, ENVIRONMENT), text, draft=draft)
    page = open_pull_request(proposal, base=base)
    return " ".join(word for word in (f"{proposal.state}:", proposal.branch, proposal.reason, page) if word)


def _image(repo: str, base: str, model: str) -> str:
    """The serving image that staging runs: a new model is one change, a new image is another."""
    path = release_path(ENVIRONMENT, model)
    with open_store(repo) as store:
        tip = store.resolve(f"refs/heads/{base}")
        text = store.read(tip, path) if tip else None
    if text is None:
        raise ConfigError(
            [f"{repo}: {base}: {path}: got nothing, must hold the release; `mainline new` writes its first state"]
        )
    return read_release(text).image
