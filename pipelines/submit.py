"""From a model and a commit to a running workflow: the template of its class, its parameters, its name.

Called by `mainline train` and by the push queue. On a cluster the same three go into one Workflow object.
"""

import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from os import environ
from pathlib import Path

import yaml

from models.errors import ConfigError
from pipelines.local import ROOT, Event, Result, run_workflow
from pipelines.settings import Settings

MAIN = "main"
TEMPLATES = Path("manifests/workflows")


@dataclass(frozen=True)
class Request:
    """One training that is asked for. `dirty`: the commit holds uncommitted changes, so nothing is released of it."""

    model: str
    commit: str
    branch: str
    dirty: bool = False

    @property
    def workflow(self) -> str:
        """One name per commit and model, so that a second trigger is harmless; another where nothing may be registered.

        Without the difference a branch's report would keep the same commit from being released once main holds it.
        """
        name = f"{self.model}-{self.commit[:12]}"
        return name if self.branch == MAIN and not self.dirty else f"{name}-report"


def submit(
    request: Request,
    settings: Settings,
    *,
    repo: Path,
    application: Path = ROOT,
    on_event: Callable[[Event], None] = lambda _: None,
) -> Result:
    """Run the training of a request here, to its end.

    Args:
        repo: repository that holds the commit.
        application: checkout whose code decides and releases; its rendered templates are what runs.

    Raises:
        ConfigError: the commit has no such model, or names a class that no template renders.
    """
    template = application / TEMPLATES / f"workflowtemplate-train-{resource_class(repo, request)}.yaml"
    if not template.is_file():
        raise ConfigError(
            [f"{template}: no such file; models/{request.model}/model.yaml names its class, or `make render`"]
        )
    return run_workflow(
        template,
        parameters(request, settings),
        name=request.workflow,
        work=settings.workflows,
        repo=repo,
        environment={**environ, **settings.environment()},
        application=application,
        on_event=on_event,
    )


def parameters(request: Request, settings: Settings) -> Mapping[str, str]:
    """The workflow's parameters on this machine."""
    return {
        "model": request.model,
        "commit": request.commit,
        "branch": request.branch,
        "repo": settings.forge_repo,
        "dirty": "true" if request.dirty else "false",
        "mlflow-tracking-uri": settings.tracking_uri,
        "artifact-root": settings.artifact_root,
        "checkpoints": settings.checkpoints,
    }


def resource_class(repo: Path, request: Request) -> str:
    """The class that the commit's model.yaml names; `small` where it cannot be read: a step will say what is wrong."""
    path = f"models/{request.model}/model.yaml"
    shown = subprocess.run(
        ["git", "-C", str(repo), "show", f"{request.commit}:{path}"], capture_output=True, text=True, check=False
    )
    if shown.returncode:
        raise ConfigError([f"{path}: {shown.stderr.strip()}; `mainline new` makes a model"])
    try:
        return str(yaml.safe_load(shown.stdout)["training"]["resources"])
    except (yaml.YAMLError, KeyError, TypeError):
        return "small"
