"""Releases for the stories: a specimen's bundle registered as training registers one, and its release.yaml merged.

Bundles are trained here by tests/specimens' recipes, written to the cluster's store and registered in its MLflow by the
project's own functions; then git says what runs, as always.
"""

import os
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from models.bundle import MODEL, Bundle
from models.release import Release, read_release, release_path, render_release
from pipelines import lineage, tracking
from pipelines.lineage import Origin
from tests.e2e.cluster_view import Rollout, View
from tests.e2e.forge import Forge, Merged
from tests.e2e.given import ROOT, Cluster
from tests.e2e.reaching import Ways
from tests.e2e.variants import variant
from tests.e2e.waiting import say
from tests.specimens.making import made

PRODUCTION = "production"
# A first deployment, or a canary's whole walk in the suite's short windows on a busy machine.
PATIENCE_SECONDS = 420
_SERVING = Path("/app/services/serving")


@dataclass(frozen=True)
class Released:
    """A release that was merged, and the merge."""

    release: Release
    merged: Merged

    @property
    def digest(self) -> str:
        """Of its bundle."""
        return self.release.digest


class Releases:
    """What the suite releases."""

    def __init__(self, cluster: Cluster, forge: Forge, ways: Ways, image: str) -> None:
        self.cluster, self.forge, self.image = cluster, forge, image
        self._ways = ways
        self._settings: dict[str, str] = {}

    def rollout(self, model: str, environment: str = PRODUCTION) -> Rollout:
        """What runs the model there."""
        return Rollout(self.cluster, f"{model}-{environment}")

    def register(self, recipe: str, *, tampered: bool = False) -> Release:
        """The version of a recipe's bundle: registered now, or when it was before; released nowhere."""
        bundle = made(recipe)
        told = bundle.manifest.lineage
        model = bundle.manifest.model
        origin = Origin(
            model=model, commit=told.commit, branch="main", data_md5=told.data_md5, workflow=f"specimen-{recipe}",
            image=self.image, dirty=False,
        )  # fmt: skip
        with self.reachable_stores():
            run = tracking.start_run(origin, parameters_hash=bundle.digest, parameters={"recipe": recipe})
            uri = tracking.upload_bundle(run, bundle.folder, bundle.digest)
            if tampered:
                uri = _tamper(bundle, uri)
            tags = {
                lineage.COMMIT: told.commit,
                lineage.DIRTY: "false",
                lineage.VERDICT: "pass",
                lineage.BRANCH: "main",
            }
            version = tracking.register_version(model, run_id=run, uri=uri, digest=bundle.digest, tags=tags)
            tracking.complete_run(run)
        return Release(self.image, model, version.number, uri, bundle.digest, run, told.commit)

    def merge(self, release: Release, environment: str = PRODUCTION) -> Released:
        """Has git say that an environment runs it; a release that was there before gets a new attempt.

        So it is a new revision: in a cluster that has seen it, Argo Rollouts would skip the gates of a former one.
        """
        release = replace(release, attempt=str(self._attempts(release, environment) + 1))
        return self.merge_as_is(release, environment)

    def merge_as_is(self, release: Release, environment: str = PRODUCTION) -> Released:
        """The same, whatever was there before."""
        title = f"release: {release.model} {release.version} to {environment}"
        branch = f"e2e/{environment}/{release.model}/{release.version}-{release.attempt}"
        files = {release_path(environment, release.model): render_release(release)}
        return Released(release, self.forge.merge_files(branch, title, files))

    def stable(self, recipe: str, environment: str = PRODUCTION) -> Released:
        """Has an environment run a recipe's bundle on the sound image, promoted and alone; nothing where it does."""
        release = self.register(recipe)
        now = self.current(release.model, environment)
        rollout = self.rollout(release.model, environment)
        same = replace(release, attempt=now.attempt)
        if now == same and now.is_released:
            head = self.forge.pull()
            rollout.wait_promoted(release.digest, seconds=PATIENCE_SECONDS)
            return Released(same, Merged(head, 0.0, 0.0))
        released = self.merge(release, environment)
        self.wait_promoted(released, environment)
        return released

    def wait_promoted(self, released: Released, environment: str = PRODUCTION) -> View:
        """Until it serves alone."""
        rollout = self.rollout(released.release.model, environment)
        return rollout.wait_promoted(released.digest, seconds=PATIENCE_SECONDS)

    def current(self, model: str, environment: str = PRODUCTION) -> Release:
        """What git says."""
        self.forge.pull()
        return read_release(self.forge.clone / release_path(environment, model))

    def faulty(self, fault: str) -> str:
        """The serving image with a fault of tests/specimens/server.py; by digest, with the same command."""
        sound = (ROOT / "services" / "serving" / "__main__.py").read_bytes()
        faulty = (ROOT / "tests" / "specimens" / "server.py").read_text(encoding="utf-8")
        former, then = "from services.serving import __main__ as pod", "from services.serving import sound as pod"
        assert former in faulty
        files = {
            str(_SERVING / "sound.py"): sound,
            str(_SERVING / "__main__.py"): faulty.replace(former, then).encode(),
        }
        return variant(self.image, f"specimen-{fault}", files=files, environment={"SPECIMEN": fault})

    @contextmanager
    def reachable_stores(self) -> Iterator[None]:
        """MLflow and the object store, as the project's own functions read them from the environment."""
        if not self._settings:
            store = dict(self.cluster.secret("delivery", "mainline-object-store"))
            for name in ("AWS_ENDPOINT_URL", "MLFLOW_S3_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"):
                if name in store:
                    store[name] = self._ways.to(store[name])
            self._settings = store | {
                "MLFLOW_TRACKING_URI": self._ways.to("http://mlflow.mainline.svc:5000"),
                "MAINLINE_ARTIFACT_ROOT": "s3://mainline-artifacts/mlflow",
            }
        with environment(self._settings):
            yield

    def _attempts(self, release: Release, environment: str) -> int:
        """The highest attempt that git's history, on any branch, or the registry has of it; 0 for none."""
        self.forge.pull()
        path = release_path(environment, release.model)
        log = self.forge.git("log", "--all", "-p", f"-S{release.digest}", "--format=%H", "--unified=100", "--", path)
        known = [int(found) for found in re.findall(r'^[+ ]  attempt: "(\d+)"$', log, re.MULTILINE)]
        return max(known, default=0)


@contextmanager
def environment(settings: Mapping[str, str]) -> Iterator[None]:
    """These variables for a while."""
    former = {name: os.environ.get(name) for name in settings}
    os.environ.update(settings)
    try:
        yield
    finally:
        for name, value in former.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


def _tamper(bundle: Bundle, uri: str) -> str:
    """A copy at another address whose graph differs by a bit; the digest stays what was released."""
    from models.store import write_bytes

    other = f"{uri}-tampered"
    data = bytearray(bundle.read(MODEL))
    data[len(data) // 2] ^= 1
    for name in ("bundle.json", *bundle.manifest.files):
        content = bytes(data) if name == MODEL else (bundle.folder / name).read_bytes()
        write_bytes(f"{other}/{name}", content)
    say(f"{other}: one bit of {MODEL} changed")
    return other
