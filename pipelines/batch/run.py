"""Runs a batch prediction on this machine: finds the bundle that is meant, and runs the rendered workflow with it."""

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from tempfile import gettempdir
from typing import Any

from models.errors import ConfigError, GateClosed
from models.release import read_release, release_path
from pipelines import tracking
from pipelines.batch.place import open_place
from pipelines.batch.summary import SUMMARY
from pipelines.local import Event, Result, run_workflow
from pipelines.settings import Settings

TEMPLATE = Path("manifests/workflows/workflowtemplate-batch-predict.yaml")


@dataclass(frozen=True)
class Request:
    """What a person asks for.

    Attributes:
        source: path or URI of a folder or a file.
        output: path or URI of a folder.
        environment: whose release predicts, where `version` is empty.
        version: a registered version.
        keep: columns between commas.
        workers: processes that share the files.
    """

    model: str
    source: str
    output: str
    environment: str = "production"
    version: str = ""
    keep: str = ""
    refused: str = "fail"
    layout: str = "parquet"
    workers: int = 1

    @property
    def workflow(self) -> str:
        """One name per model, input and output: the same request waits for the first, and goes on after a kill."""
        where = hashlib.sha256(f"{uri_of(self.source)}\n{uri_of(self.output)}".encode()).hexdigest()
        return f"predict-{self.model}-{where[:12]}"


def uri_of(text: str) -> str:
    """A URI as it is, a path as one."""
    return text if "://" in text else Path(text).resolve().as_uri()


def bundle_of(root: Path, request: Request) -> Mapping[str, str]:
    """Version, URI and digest of the bundle that is meant.

    Raises:
        ConfigError, GateClosed: the model has no such overlay, or nothing is released there.
        RunNotFound: no such version is registered.
    """
    if request.version:
        found = tracking.find_version(request.model, request.version)
        return {"version": found.number, "bundle": found.uri, "digest": found.digest}
    release = read_release(root / release_path(request.environment, request.model))
    if not release.is_released:
        where = f"nothing is released to {request.environment}"
        raise GateClosed(f"{request.model}: {where}: merge a proposal first, or name a registered one: --version 1")
    return {"version": release.version, "bundle": release.uri, "digest": release.digest}


def run(
    root: Path, request: Request, settings: Settings, *, on_event: Callable[[Event], None] = lambda _: None
) -> tuple[Result, dict[str, Any]]:
    """How the workflow ended, and its summary; empty where it came to none.

    Raises:
        ConfigError, GateClosed, RunNotFound: nothing was run.
    """
    template = root / TEMPLATE
    if not template.is_file():
        raise ConfigError([f"{template}: no such file; run `make render`"])
    parameters = {
        "model": request.model,
        **bundle_of(root, request),
        "input": uri_of(request.source),
        "output": uri_of(request.output),
        "keep": request.keep,
        "refused": request.refused,
        "layout": request.layout,
        "workers": str(request.workers),
        # a workflow's finished tasks are remembered by their text: the files may be others now
        "asked": datetime.now(UTC).isoformat(timespec="milliseconds"),
    }
    result = run_workflow(
        template,
        parameters,
        name=request.workflow,
        work=settings.workflows,
        repo=root,
        environment={**os.environ, **settings.environment()},
        application=root,
        on_event=on_event,
    )
    summed = result.tasks.get("batch-summary")
    # 0 and 3: it came to the end, and wrote it
    told = summed is not None and summed.exit_code in (0, GateClosed.exit_code)
    data = open_place(parameters["output"], Path(gettempdir())).read(SUMMARY) if told else None
    return result, json.loads(data) if data else {}
