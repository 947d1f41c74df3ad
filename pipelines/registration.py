"""From a trained bundle to a registered version, or to a run that says why not.

Runs from the pinned image, so it trusts nothing that the commit's code concluded: it reads the commit's gates itself,
decides again from the numbers, and checks that bundle, evaluation and run belong together. Killed at any moment it may
run again: what lies at the bundle's address is verified before a version exists, and a version is found by its digest.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

from models.bundle import Bundle, open_bundle
from models.errors import MainlineError
from models.predictor import Predictor
from models.spec import load_gates
from models.verdict import Verdict
from pipelines import lineage, tracking
from pipelines.evaluation import folder_bytes
from pipelines.evidence import flat_metrics, from_document, verdicts
from pipelines.gates import decide
from pipelines.jsonfile import read_json, write_json

RELEASE_BRANCH = "main"


class Outcome(StrEnum):
    """What became of a training."""

    REGISTERED = "registered"
    DRAFT = "draft"  # registered, and a person is asked: a gate was inconclusive
    REPORTED = "reported"  # not on main: recorded, and no version
    REFUSED = "refused"


@dataclass(frozen=True, kw_only=True)
class Submission:
    """What the steps before hand over: the tree of the commit, and the folders that they wrote.

    Attributes:
        out: folder for `metrics.json` as decided here; the evaluation's own is an input, and stays as it is.
    """

    source: Path
    model: str
    branch: str
    commit: str
    run_id: str
    bundle: Path
    training: Path
    evaluation: Path
    validation: Path
    out: Path


@dataclass(frozen=True)
class Registration:
    """The outcome; the version is empty where none was registered, the reason where there is nothing to say."""

    outcome: Outcome
    version: str
    reason: str

    @property
    def refused(self) -> bool:
        """Whether the workflow ends here."""
        return self.outcome is Outcome.REFUSED


def register(submission: Submission) -> Registration:
    """Records everything in the run, and registers the bundle where branch, tree, checks and gates allow it.

    Raises:
        MainlineError: store or tracking did not answer; nothing is half-registered, run it again.
    """
    run = tracking.get_run(submission.run_id)
    document = read_json(submission.evaluation / "metrics.json")
    gates = load_gates(submission.source / "models" / submission.model).offline
    evidence = from_document(document, bundle_bytes=float(folder_bytes(submission.bundle)))
    decision = decide(evidence, gates)
    document |= verdicts(decision)
    bundle = open_bundle(submission.bundle, None)
    reasons = list(_refusals(submission, bundle, document, run))
    if decision.verdict is Verdict.FAIL:
        reasons.append(decision.reason())
    if reasons:
        reason = "; ".join(reasons)
        _record(submission, document, bundle, Outcome.REFUSED, reason)
        tracking.fail_run(submission.run_id, reason)
        return Registration(Outcome.REFUSED, "", reason)
    uri = tracking.upload_bundle(submission.run_id, submission.bundle, bundle.digest)
    if submission.branch != RELEASE_BRANCH:
        reason = f"branch {submission.branch}: only {RELEASE_BRANCH} registers"
        _record(submission, document, bundle, Outcome.REPORTED, reason)
        tracking.complete_run(submission.run_id)
        return Registration(Outcome.REPORTED, "", reason)
    outcome = Outcome.REGISTERED if decision.verdict is Verdict.PASS else Outcome.DRAFT
    _record(submission, document, bundle, outcome, decision.reason())
    version = _version(submission, bundle, uri, str(decision.verdict), run)
    tracking.log_evaluation(submission.run_id, metrics={}, tags={lineage.VERSION: version})
    tracking.complete_run(submission.run_id)
    return Registration(outcome, version, decision.reason())


def _refusals(submission: Submission, bundle: Bundle, document: dict[str, Any], run: tracking.Run) -> Iterator[str]:
    """Why nothing may be registered, whatever the gates say."""
    told = bundle.manifest.lineage
    for what, got, must in (
        ("the bundle's model", bundle.manifest.model, submission.model),
        ("the bundle's commit", told.commit, submission.commit),
        ("the bundle's run", told.run_id, submission.run_id),
        ("the bundle's data", told.data_md5, run.tags.get(lineage.DATA_MD5, "")),
        ("the run's model", run.tags.get(lineage.MODEL, ""), submission.model),
        ("the run's commit", run.tags.get(lineage.COMMIT, ""), submission.commit),
        ("the evaluation's bundle", document.get("digest"), bundle.digest),
    ):
        if got != must:
            yield f"{what}: got {got}, must be {must}; the steps' outputs are mixed up"
    validation = read_json(submission.validation / "validation.json")
    if validation.get("verdict") != Verdict.PASS:
        yield f"validation: {validation.get('reason') or 'no verdict'}"
    if submission.branch == RELEASE_BRANCH and (told.dirty or run.tags.get(lineage.DIRTY) != "false"):
        yield "dirty tree: the commit does not say what was trained; commit the changes and train again"
    try:
        Predictor(bundle).self_test()
    except MainlineError as error:
        yield f"self-test: {error}"


def _record(submission: Submission, document: dict[str, Any], bundle: Bundle, outcome: Outcome, reason: str) -> None:
    """Metrics, plots, reports and tags of the run."""
    write_json(submission.out / "metrics.json", document)
    files = {
        "evaluation/metrics.json": submission.out / "metrics.json",
        "evaluation/training.json": submission.training / "training.json",
        "evaluation/validation.json": submission.validation / "validation.json",
        **{
            f"evaluation/{Path(name).name}": submission.evaluation / Path(name).name
            for name in document.get("plots", [])
        },
    }
    tags = {
        lineage.DIGEST: bundle.digest,
        lineage.VERDICT: str(document["verdict"]) if outcome is not Outcome.REFUSED else str(Verdict.FAIL),
        lineage.OUTCOME: str(outcome),
        lineage.REASON: reason,
        lineage.BRANCH: submission.branch,
    }
    contents = {name: path.read_bytes() for name, path in files.items()}
    tracking.log_evaluation(submission.run_id, metrics=flat_metrics(document), tags=tags, files=contents)


def _version(submission: Submission, bundle: Bundle, uri: str, verdict: str, run: tracking.Run) -> str:
    told = bundle.manifest.lineage
    tags = {
        lineage.COMMIT: told.commit,
        lineage.DATA_MD5: told.data_md5,
        lineage.WORKFLOW: told.workflow,
        lineage.IMAGE: told.training_image,
        lineage.BRANCH: submission.branch,
        lineage.DIRTY: run.tags[lineage.DIRTY],
        lineage.VERDICT: verdict,
    }
    registered = tracking.register_version(
        submission.model, run_id=submission.run_id, uri=uri, digest=bundle.digest, tags=tags
    )
    return registered.number
