"""Runs and registered versions in MLflow; the only module that imports it, and only when something is asked.

Writes go through MlflowClient in batches; files go straight to the artifact store, which needs no cloud SDK. Every
function may be called again after a kill: what was done is found and not done twice.
"""

import fcntl
import os
import shutil
import tempfile
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from models.errors import ConfigError
from pipelines import lineage
from pipelines.errors import RunNotFound, TrackingFailed
from pipelines.lineage import Origin

if TYPE_CHECKING:
    from mlflow.entities import Run as MlflowRun
    from mlflow.entities.model_registry import ModelVersion
    from mlflow.tracking import MlflowClient

# A step's writes take milliseconds; a minute of waiting outlasts any number of processes that one machine runs.
_LOCK_TIMEOUT_SECONDS = 60
_PARAMETER_LENGTH = 6000  # MLflow refuses longer values

_clients: dict[str, "MlflowClient"] = {}


@dataclass(frozen=True)
class Run:
    """One MLflow run: its status (RUNNING, FINISHED, FAILED, KILLED), where its files go, and its records."""

    id: str
    status: str
    artifacts: str
    tags: Mapping[str, str]
    metrics: Mapping[str, float]
    parameters: Mapping[str, str]
    started_ms: int


@dataclass(frozen=True)
class Version:
    """One registered version of a model, which never changes: its number, the run that made it, its bundle."""

    model: str
    number: str
    run_id: str
    uri: str
    digest: str
    tags: Mapping[str, str]
    created_ms: int


def start_run(origin: Origin, *, parameters_hash: str, parameters: Mapping[str, object]) -> str:
    """The id of the run of this commit, data and parameters: the one that exists, open again, or a new one.

    A dirty tree never continues a run, since its commit does not say what was trained.
    """
    client = _client()
    experiment = _experiment(client, origin.model)
    tags = {**origin.tags(), lineage.PARAMETERS_HASH: parameters_hash}
    found = None if origin.dirty else _same_run(client, experiment, tags)
    if found is None:
        run_name = origin.workflow or f"{origin.model}-{origin.commit[:12]}"
        run_id = str(client.create_run(experiment, tags=tags, run_name=run_name).info.run_id)
    else:
        run_id = str(found.info.run_id)
        client.update_run(run_id, status="RUNNING")
        _log(client, run_id, tags=tags)
    _log(client, run_id, parameters={name: str(value)[:_PARAMETER_LENGTH] for name, value in parameters.items()})
    return run_id


def log_evaluation(
    run_id: str, *, metrics: Mapping[str, float], tags: Mapping[str, str], files: Mapping[str, bytes] | None = None
) -> None:
    """Adds metrics (finite ones: MLflow's charts have no NaN), tags, and files under the run's artifacts."""
    from models.store import write_bytes

    client = _client()
    artifacts = get_run(run_id).artifacts
    for name, data in sorted((files or {}).items()):
        write_bytes(f"{artifacts}/{name}", data)
    _log(client, run_id, metrics=metrics, tags=tags)


def upload_bundle(run_id: str, folder: Path, digest: str) -> str:
    """Copies a bundle under the run's artifacts and reads it back whole; returns its address.

    The address holds the digest, so no later training of the same run can overwrite what a version points at.

    Raises:
        models.bundle errors: what lies at the address is not what was sent.
    """
    from models.bundle import Digest
    from models.store import fetch, put

    uri = f"{get_run(run_id).artifacts}/bundles/{digest.removeprefix('sha256:')}"
    put(folder, uri)
    with tempfile.TemporaryDirectory(prefix="verify-") as scratch:
        fetch(uri, Path(scratch) / "bundle", Digest(digest))
    return uri


def register_version(model: str, *, run_id: str, uri: str, digest: str, tags: Mapping[str, str]) -> Version:
    """The version of this digest: the one that exists, or a new one, complete with its tags from its first instant.

    Two processes that register at once are ordered by a lock where the store is a file on this machine.
    """
    client = _client()
    with _store_lock(_uri()):
        existing = [version for version in versions(model) if version.digest == digest]
        if existing:
            return min(existing, key=lambda version: int(version.number))
        _registered_model(client, model)
        all_tags = {**tags, lineage.DIGEST: digest, lineage.URI: uri}
        return _version(client.create_model_version(model, uri, run_id=run_id, tags=all_tags))


def versions(model: str) -> list[Version]:
    """All versions of a model, oldest first; empty where it has none."""
    found: list[Version] = []
    token: str | None = None
    while True:
        page = _client().search_model_versions(f"name = '{model}'", max_results=1000, page_token=token)
        found += [_version(each) for each in page]
        token = page.token
        if not token:
            return sorted(found, key=lambda version: int(version.number))


def find_version(model: str, number: str) -> Version:
    """One version.

    Raises:
        RunNotFound: the model has no such version.
    """
    known = versions(model)
    for version in known:
        if version.number == number:
            return version
    have = ", ".join(version.number for version in known) or "none"
    raise RunNotFound(f"{model} version {number} is not registered at {_uri()}; registered are: {have}")


def tag_version(model: str, number: str, tags: Mapping[str, str]) -> None:
    """Adds tags to a version, over those of the same name; what it is made of cannot be changed.

    Raises:
        RunNotFound: the model has no such version.
    """
    find_version(model, number)
    for name, value in tags.items():
        _client().set_model_version_tag(model, number, name, value)


def aliases(model: str) -> Mapping[str, str]:
    """Alias to version of a model; they follow git, and nothing reads one to decide what to serve.

    Raises:
        RunNotFound: no such model is registered.
    """
    from mlflow.exceptions import MlflowException

    try:
        return {name: str(number) for name, number in _client().get_registered_model(model).aliases.items()}
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise RunNotFound(f"{model} is not registered at {_uri()}") from error
        raise


def set_alias(model: str, alias: str, number: str) -> None:
    """Points an alias at a version.

    Raises:
        RunNotFound: the model has no such version.
    """
    find_version(model, number)
    _client().set_registered_model_alias(model, alias, number)


def get_run(run_id: str) -> Run:
    """One run by its id.

    Raises:
        RunNotFound: the store has no such run.
    """
    from mlflow.exceptions import MlflowException

    try:
        return _run(_client().get_run(run_id))
    except MlflowException as error:
        if error.error_code == "RESOURCE_DOES_NOT_EXIST":
            raise RunNotFound(
                f"run {run_id!r} is not in {_uri()}; is MLFLOW_TRACKING_URI the store it was made in?"
            ) from error
        raise


def find_run(key: str) -> Run:
    """The run that a digest (`sha256:...`), a commit (40 hex digits) or a run id names; of several, the newest.

    Raises:
        RunNotFound: none does.
    """
    tag = lineage.DIGEST if key.startswith("sha256:") else lineage.COMMIT if len(key) == 40 else None
    if tag is None:
        return get_run(key)
    found = _search(f"tags.`{tag}` = '{_quoted(key)}'")
    if not found:
        raise RunNotFound(f"no run in {_uri()} has {tag} {key}")
    return found[0]


def runs(model: str) -> list[Run]:
    """All runs of a model, newest first."""
    return _search(f"tags.`{lineage.MODEL}` = '{_quoted(model)}'")


def complete_run(run_id: str) -> None:
    """Marks a run finished."""
    _client().set_terminated(run_id, status="FINISHED")


def fail_run(run_id: str, reason: str, *, status: str = "FAILED") -> None:
    """Ends a run with its reason as a tag; the tag first, so that no ended run lacks it."""
    client = _client()
    _log(client, run_id, tags={lineage.REASON: reason})
    client.set_terminated(run_id, status=status)


def finish_run(run_id: str, workflow_status: str) -> None:
    """Closes a run that is still open with its workflow's status; one that a step closed stays as it is."""
    if get_run(run_id).status != "RUNNING":
        return
    if workflow_status == "Succeeded":
        complete_run(run_id)
        return
    killed = workflow_status == "Error"
    fail_run(
        run_id,
        f"the workflow ended as {workflow_status} before a step closed the run",
        status="KILLED" if killed else "FAILED",
    )


def _client() -> "MlflowClient":
    uri = _uri()
    if uri not in _clients:
        os.environ["MLFLOW_DISABLE_TELEMETRY"] = "true"
        os.environ["DO_NOT_TRACK"] = "true"
        # the first client of a file store creates its tables, and two at once would collide
        with warnings.catch_warnings(), _store_lock(uri):
            warnings.simplefilter("ignore", DeprecationWarning)  # of MLflow's own use of SQLAlchemy and pydantic
            from mlflow.tracking import MlflowClient

            _create_file_store(uri)
            client = MlflowClient(tracking_uri=_patient(uri), registry_uri=_patient(uri))
            client.search_experiments(max_results=1)
        _clients[uri] = client
    return _clients[uri]


def _uri() -> str:
    uri = os.environ.get("MLFLOW_TRACKING_URI", "")
    if not uri:
        raise ConfigError(["environment: MLFLOW_TRACKING_URI: got nothing, must be sqlite:///PATH or https://HOST"])
    return uri


def _patient(uri: str) -> str:
    """SQLite gives up after 5 s where another process writes; ours waits longer."""
    return f"{uri}?timeout={_LOCK_TIMEOUT_SECONDS}" if uri.startswith("sqlite:") and "?" not in uri else uri


@contextmanager
def _store_lock(uri: str) -> Iterator[None]:
    """One process at a time, where the store is a file here; the kernel frees the lock of a killed one."""
    store = _file(uri)
    if store is None:
        yield
        return
    path = store.with_name(store.name + ".lock")
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def _file(uri: str) -> Path | None:
    """The file of a store that is one on this machine."""
    return Path(uri.removeprefix("sqlite:///").split("?")[0]) if uri.startswith("sqlite:///") else None


def _create_file_store(uri: str) -> None:
    """Makes the file of a new SQLite store aside and renames it; the caller holds the store's lock.

    MLflow creates its tables by dozens of migrations: a store that was killed between two of them never opens again.
    """
    path = _file(uri)
    if path is None or path.exists():
        return
    from mlflow.tracking import MlflowClient

    for left in path.parent.glob(f".{path.name}.*"):
        shutil.rmtree(left)
    # a folder of its own and a new name each time: MLflow keeps the engine of every address that it has seen
    aside = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    MlflowClient(tracking_uri=f"sqlite:///{aside / path.name}").search_experiments(max_results=1)
    os.replace(aside / path.name, path)
    aside.rmdir()


def _experiment(client: "MlflowClient", model: str) -> str:
    root = os.environ.get("MAINLINE_ARTIFACT_ROOT", "")
    found = client.get_experiment_by_name(model)
    if found is not None:
        return str(found.experiment_id)
    if not root:
        raise ConfigError(
            ["environment: MAINLINE_ARTIFACT_ROOT: got nothing, must be the address of a folder, file:// or s3://"]
        )
    with _store_lock(_uri()):
        found = client.get_experiment_by_name(model)
        if found is not None:
            return str(found.experiment_id)
        return str(client.create_experiment(model, artifact_location=f"{root.rstrip('/')}/{model}"))


def _registered_model(client: "MlflowClient", model: str) -> None:
    from mlflow.exceptions import MlflowException

    try:
        client.create_registered_model(model)
    except MlflowException as error:
        if error.error_code != "RESOURCE_ALREADY_EXISTS":
            raise TrackingFailed(f"{model} cannot be registered at {_uri()}: {error}") from error


def _same_run(client: "MlflowClient", experiment: str, tags: Mapping[str, str]) -> "MlflowRun | None":
    same = (lineage.MODEL, lineage.COMMIT, lineage.DATA_MD5, lineage.PARAMETERS_HASH, lineage.DIRTY)
    wanted = " and ".join(f"tags.`{name}` = '{_quoted(tags[name])}'" for name in same)
    found = client.search_runs([experiment], wanted, order_by=["attributes.start_time ASC"], max_results=1)
    return found[0] if found else None


def _log(
    client: "MlflowClient",
    run_id: str,
    *,
    metrics: Mapping[str, float] | None = None,
    tags: Mapping[str, str] | None = None,
    parameters: Mapping[str, str] | None = None,
) -> None:
    import math

    from mlflow.entities import Metric, Param, RunTag

    now = int(time.time() * 1000)
    numbers = [Metric(name, float(value), now, 0) for name, value in (metrics or {}).items() if math.isfinite(value)]
    texts = [RunTag(name, value) for name, value in (tags or {}).items()]
    client.log_batch(run_id, metrics=numbers, params=[Param(n, v) for n, v in (parameters or {}).items()], tags=texts)


def _search(wanted: str) -> list[Run]:
    client = _client()
    experiments = [str(each.experiment_id) for each in client.search_experiments()]
    return [_run(each) for each in client.search_runs(experiments, wanted, order_by=["attributes.start_time DESC"])]


def _quoted(value: str) -> str:
    """A value for a filter; MLflow has no escape for a quote, and no name, digest or commit of ours holds one."""
    if "'" in value:
        raise ConfigError([f"got {value!r}, must not hold a quote: it cannot be searched for"])
    return value


def _run(run: Any) -> Run:
    info, data = run.info, run.data
    return Run(
        str(info.run_id),
        str(info.status),
        str(info.artifact_uri),
        dict(data.tags),
        dict(data.metrics),
        dict(data.params),
        int(info.start_time),
    )


def _version(version: "ModelVersion") -> Version:
    tags = dict(version.tags)
    return Version(
        str(version.name),
        str(version.version),
        str(version.run_id),
        str(version.source),
        tags.get(lineage.DIGEST, ""),
        tags,
        int(version.creation_timestamp),
    )
