"""Which files are training code that all models share: a change of one of them trains every model. See `changed`."""

from fnmatch import fnmatchcase

# Of pipelines/ and models/, what cannot change a trained bundle or its evaluation: it runs from the image, or not at
# all in a training. Anything else there counts as training code: a new module is shared until someone says it is not.
NOT_TRAINING = (
    *("pipelines/cli.py", "pipelines/demo*", "pipelines/new*", "pipelines/stages.py", "pipelines/tools/*"),
    *("pipelines/rehearsal/*", "pipelines/rehearse.py"),
    *("pipelines/promote.py", "pipelines/build.py", "pipelines/serve.py", "pipelines/trace.py", "pipelines/forge*"),
    *("pipelines/report.py", "pipelines/report_page/*", "pipelines/overlays.py", "pipelines/locks.py"),
    *("pipelines/render.py", "pipelines/workflows/*", "pipelines/local*.py", "pipelines/process.py"),
    *("pipelines/workflow_template.py", "pipelines/expressions.py", "pipelines/submit.py", "pipelines/pushes.py"),
    *("pipelines/settings.py", "pipelines/changed.py", "pipelines/training_code.py"),
    *("pipelines/data_manifest.py", "pipelines/source.py"),
    *("pipelines/tracking.py", "pipelines/data.py", "pipelines/registration.py", "pipelines/release_proposal.py"),
    *("pipelines/steps/pull_data.py", "pipelines/steps/start_run.py", "pipelines/steps/register.py"),
    *("pipelines/starter/*", "pipelines/infer_spec.py", "pipelines/proposal*.py", "pipelines/approvals.py"),
    *("pipelines/versions.py", "pipelines/gitstore.py", "pipelines/readiness.py", "*/__init__.py"),
    *("pipelines/steps/propose_release.py", "pipelines/steps/refuse.py", "pipelines/steps/finish_run.py"),
    *("pipelines/rehearsal/*", "pipelines/lint/*"),
    # a cluster's: dispatching, applying, what became of a rollout
    *("pipelines/kube*.py", "pipelines/cluster/*", "pipelines/dispatching.py", "pipelines/reconcile*.py"),
    *(
        "pipelines/pull_requests.py",
        "pipelines/gitea.py",
        "pipelines/steps/dispatch.py",
        "pipelines/steps/reconcile.py",
    ),
    *(
        "pipelines/appl*.py",
        "pipelines/head.py",
        "pipelines/restoring.py",
        "pipelines/reverting.py",
        "pipelines/revision.py",
    ),
    *(
        "pipelines/rollout_ended.py",
        "pipelines/abort_evidence.py",
        "pipelines/judge_report.py",
        "pipelines/environments.py",
    ),
    *("pipelines/batch/*", "pipelines/steps/batch_*.py", "manifests/workflows/*batch*"),
    *("pipelines/steps/apply.py", "pipelines/steps/rollout_ended.py", "pipelines/image_proposal.py"),
)
_RENDERED = "manifests/workflows/*"


def is_shared(path: str) -> bool:
    """Whether a file is training code that all models share."""
    if any(fnmatchcase(path, pattern) for pattern in NOT_TRAINING):
        return False
    if fnmatchcase(path, _RENDERED):
        return True
    of_models = path.startswith("models/") and path.count("/") == 1
    return path.endswith(".py") and (of_models or path.startswith("pipelines/"))
