"""Releases for the stories: a specimen's bundle registered as training registers one, and its release.yaml merged.

Bundles are trained here by tests/specimens' recipes, written to the cluster's store and registered in its MLflow by the
project's own functions; then git says what runs, as always.
"""

import re
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

from models.release import Release, read_release, release_path, render_release
from pipelines import lineage, tracking
from pipelines.lineage import Origin
from pipelines.standing import Ending, standings
from tests.e2e.callers import Callers
from tests.e2e.cluster_view import Rollout
from tests.e2e.forge import Forge, Merged, PullRequest
from tests.e2e.given import ROOT, Cluster
from tests.e2e.reaching import Ways
from tests.e2e.stores import Stores, tampered_copy
from tests.e2e.variants import variant
from tests.e2e.views import View
from tests.specimens.making import made

PRODUCTION = "production"
# A first deployment, or a canary's whole walk in the suite's short windows on a busy machine.
PATIENCE_SECONDS = 420
_SERVING = Path("/app/services/serving")


@dataclass(frozen=True)
class Released:
    """A release that was merged, and the merge; the pod-template hash of one that runs."""

    release: Release
    merged: Merged
    revision: str = ""

    @property
    def digest(self) -> str:
        """Of its bundle."""
        return self.release.digest


def released_image(forge: Forge) -> str:
    """The serving image that the forge's repository releases, by digest."""
    forge.pull()
    found = [read_release(path).image for path in sorted(forge.clone.glob("kustomize/overlays/*/*/release.yaml"))]
    pinned = Counter(each for each in found if "@sha256:" in each)
    assert pinned, (
        f"{forge.name}: no release.yaml names an image by digest: was the repository seeded by `make cluster`?"
    )
    # one may be left there by a story that released a faulty server
    return pinned.most_common(1)[0][0]


class Releases:
    """What the suite releases."""

    def __init__(self, cluster: Cluster, forge: Forge, ways: Ways, callers: Callers) -> None:
        self.cluster, self.forge, self.callers, self.image = cluster, forge, callers, callers.image
        self.stores = Stores(cluster, ways)

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
        with self.stores.reachable():
            run = tracking.start_run(origin, parameters_hash=bundle.digest, parameters={"recipe": recipe})
            uri = tracking.upload_bundle(run, bundle.folder, bundle.digest)
            if tampered:
                uri = tampered_copy(bundle, uri)
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
        """Has git say that an environment runs it; a release that was there before gets a new attempt."""
        return self.merge_as_is(self.new_attempt(release, environment), environment)

    def merge_as_is(self, release: Release, environment: str = PRODUCTION) -> Released:
        """The same, whatever was there before."""
        return Released(release, self.forge.merge(self.propose(release, environment)))

    def propose(self, release: Release, environment: str = PRODUCTION, body: str = "") -> PullRequest:
        """The pull request that has git say so, open."""
        title = f"release: {release.model} {release.version} to {environment}"
        branch = f"e2e/{environment}/{release.model}/{release.version}-{release.attempt}"
        files = {release_path(environment, release.model): render_release(release)}
        return self.forge.propose_files(branch, title, files, body)

    def new_attempt(self, release: Release, environment: str = PRODUCTION) -> Release:
        """The release with a number that it did not have there yet, so that it is a new revision.

        In a cluster that has seen a former one, Argo Rollouts would skip its gates.
        """
        return replace(release, attempt=str(self._attempts(release, environment) + 1))

    def stable(self, recipe: str, environment: str = PRODUCTION, *, over_an_abort: bool = False) -> Released:
        """Has an environment run a recipe's bundle on the sound image, promoted and alone; its gates have requests.

        Nothing where it does.

        Args:
            over_an_abort: nor where only aborted ones came after it; git says such a one then, and a story that
                reverts what it merged would lead back to that, which is refused.
        """
        release = self.register(recipe)
        now = self.current(release.model, environment)
        rollout = self.rollout(release.model, environment)
        same = replace(release, attempt=now.attempt)
        if now.is_released:
            self.callers.start(release.model, environment=environment)
        if now == same and now.is_released and not rollout.waits():
            head = self.forge.pull()
            view = rollout.wait_promoted(same, seconds=PATIENCE_SECONDS)
            return Released(same, Merged(head, 0.0, 0.0), view.current)
        if over_an_abort and now.is_released and (view := rollout.view()).aborted:
            same = replace(release, attempt=rollout.attempt_of(view.stable))
            if rollout.former_revision(same) == view.stable:
                return Released(same, Merged(self.forge.pull(), 0.0, 0.0), view.stable)
        former = self._completed(release, environment)
        if former in (None, now):  # what waits for a person walks again
            former = self.new_attempt(release, environment)
        released = self.merge_as_is(former, environment)
        return replace(released, revision=self.wait_promoted(released, environment).current)

    def promoted_over(self, stable: str, better: str, environment: str = PRODUCTION) -> tuple[Released, Released]:
        """What is promoted over a stable recipe's bundle, and that one: what runs now where it is so, else `better`."""
        release = self.register(stable)
        path = release_path(environment, release.model)
        now = self.current(release.model, environment)
        rollout = self.rollout(release.model, environment)
        merge = self.forge.git("log", "-1", "--first-parent", "--format=%H", "--", path)
        before = read_release(self.forge.git("show", f"{merge}^:{path}"))
        former = rollout.former_revision(before)
        over = now.digest != release.digest and before == replace(release, attempt=before.attempt)
        if over and former and not rollout.waits():
            view = rollout.wait_promoted(now, seconds=PATIENCE_SECONDS)
            merged = Merged(merge, 0.0, 0.0)
            return Released(now, merged, view.current), Released(before, merged, former)
        base = self.stable(stable, environment)
        released = self.merge(self.register(better), environment)
        return replace(released, revision=self.wait_promoted(released, environment).current), base

    def wait_promoted(self, released: Released, environment: str = PRODUCTION) -> View:
        """Until it serves alone."""
        rollout = self.rollout(released.release.model, environment)
        return rollout.wait_promoted(released.release, seconds=PATIENCE_SECONDS)

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
            # the image's own bytecode would be taken without a look at the source
            **{str(_SERVING / f"__pycache__/__main__.cpython-3{minor}.pyc"): b"" for minor in range(11, 15)},
        }
        return variant(self.image, f"specimen-{fault}", files=files, environment={"SPECIMEN": fault})

    def mainline(self, *arguments: str, exit_code: int = 0) -> str:
        """What the command line prints in the forge's clone, as it is now; where it must fail, its complaint too."""
        self.forge.pull()
        command = [sys.executable, "-m", "pipelines.cli", *arguments]
        with self.stores.reachable():
            done = subprocess.run(
                command, cwd=self.forge.clone, capture_output=True, text=True, check=False, timeout=PATIENCE_SECONDS
            )
        told = f"mainline {' '.join(arguments)}: exit code {done.returncode}: {done.stderr[-2000:]}"
        assert done.returncode == exit_code, told
        return done.stdout if exit_code == 0 else done.stdout + done.stderr

    def _completed(self, release: Release, environment: str) -> Release | None:
        """The attempt at it that was promoted here before and whose pods' template is still known: a way back."""
        with self.stores.reachable():
            known = standings(release, environment)
        for each in reversed(known):
            tried = replace(release, attempt=str(each.attempt))
            if each.ending is Ending.COMPLETED and self.rollout(release.model, environment).former_revision(tried):
                return tried
        return None

    def _attempts(self, release: Release, environment: str) -> int:
        """The highest attempt that git's history, on any branch, or the registry has of it; 0 for none."""
        self.forge.pull()
        path = release_path(environment, release.model)
        log = self.forge.git("log", "--all", "-p", "--format=%x00", "--unified=100", "--", path)
        # each commit's text after it; -S would miss an attempt that follows another one at the same bundle
        texts = ["\n".join(re.findall(r"^[+ ](.*)$", commit, re.MULTILINE)) for commit in log.split("\0")]
        found = [re.search(r'^  attempt: "(\d+)"$', text, re.MULTILINE) for text in texts if release.digest in text]
        known = [int(each[1]) for each in found if each]
        return max(known, default=0)
