"""A scratch world whose processes are killed: a bare origin, a checkout, an MLflow store, and the real commands."""

import os
import random
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path

from models.bundle import Digest, open_bundle
from models.release import read_release, release_path
from models.store import fetch
from pipelines.gitstore import MACHINE
from pipelines.jsonfile import read_json

ROOT = Path(__file__).resolve().parents[2]
MODEL = "iris"
STAGING, PRODUCTION = release_path("staging", MODEL), release_path("production", MODEL)
# A completed run is waited for this long; the longest takes 40 s on two busy cores.
_PATIENCE_SECONDS = 300
_SETTLE_SECONDS = 20
_MISSES = 3  # a run that ends before its kill is drawn again, so often at most
_FSCK = ("fsck", "--full", "--strict")
_WIDELY = 0.3  # share of kills that take the descendants in other sessions along


def git(repo: Path, *arguments: str) -> str:
    """What git prints; it must succeed."""
    done = _git(repo, *arguments)
    said = f"{done.stderr}{done.stdout[-2000:]}"
    assert done.returncode == 0, f"git {' '.join(arguments)}: exit {done.returncode}: {said}"
    return done.stdout.strip()


def _git(repo: Path, *arguments: str) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(["git", "-C", str(repo), *arguments], capture_output=True, text=True, check=False)


@dataclass
class World:
    """Folders and commands; `state` is everything that a killed process may have touched."""

    folder: Path
    environment: dict[str, str] = field(init=False)

    def __post_init__(self) -> None:
        self.state.mkdir(parents=True)
        git(self.folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        git(ROOT, "push", "--quiet", str(self.origin), "HEAD:refs/heads/main")
        git(self.folder, "clone", "--quiet", str(self.origin), str(self.clone))
        (self.folder / "tmp").mkdir()
        # a hook's and a step's git find their own repository, and Python its own code
        kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST_")}
        self.environment = kept | {
            "MLFLOW_TRACKING_URI": f"sqlite:///{self.store}",
            "MAINLINE_ARTIFACT_ROOT": (self.state / "artifacts").as_uri(),
            "MAINLINE_HOME": str(self.state / "home"),
            "MAINLINE_FORGE_REPO": str(self.origin),
            "TMPDIR": str(self.folder / "tmp"),
        }

    @property
    def state(self) -> Path:
        return self.folder / "state"

    @property
    def origin(self) -> Path:
        return self.state / "origin.git"

    @property
    def store(self) -> Path:
        return self.state / "mlflow.db"

    @property
    def out(self) -> Path:
        return self.state / "out"

    @property
    def clone(self) -> Path:
        return self.folder / "clone"

    @property
    def commit(self) -> str:
        return git(self.clone, "rev-parse", "HEAD")

    def text(self, name: str) -> str:
        return (self.out / name).read_text(encoding="utf-8")

    def step(self, name: str) -> list[str]:
        """The command of a step, as the rendered workflow has it."""
        source, data, out = f"--source={self.clone}", f"--data={self.out / 'data'}", self.out
        told = [f"--model={MODEL}", f"--commit={self.commit}", "--workflow=iris-faults", "--image=this-machine"]
        folders = [f"--{each}={out / each}" for each in ("bundle", "training", "evaluation", "validation")]
        flags: dict[str, Callable[[], list[str]]] = {
            "pull_data": lambda: [
                source, f"--model={MODEL}", f"--out={out / 'data'}", f"--data-md5-file={out / 'md5'}",
            ],
            "start_run": lambda: [
                source, *told, "--branch=main", f"--data-md5={self.text('md5')}", f"--run-id-file={out / 'run'}",
            ],
            "validate_data": lambda: [
                source, data, f"--model={MODEL}", f"--out={out / 'validation'}",
                f"--verdict-file={out / 'verdict'}", f"--reason-file={out / 'reason'}",
            ],
            "train": lambda: [
                source, data, *told, f"--data-md5={self.text('md5')}", f"--run-id={self.text('run')}",
                f"--checkpoints={(self.state / 'checkpoints').as_uri()}",
                f"--out-bundle={out / 'bundle'}", f"--out-training={out / 'training'}",
            ],
            "evaluate": lambda: [source, data, f"--model={MODEL}", *folders[:2], f"--out={out / 'evaluation'}"],
            "register": lambda: [
                source, f"--model={MODEL}", "--branch=main", f"--commit={self.commit}", f"--run-id={self.text('run')}",
                *folders, f"--out={out / 'decision'}",
                f"--outcome-file={out / 'outcome'}", f"--version-file={out / 'version'}",
            ],
            "propose_release": lambda: [
                f"--model={MODEL}", f"--run-id={self.text('run')}", f"--version={self.text('version')}",
                f"--decision={out / 'decision'}", f"--repo={self.origin}", "--base=main",
            ],
        }  # fmt: skip
        return [sys.executable, "-m", f"pipelines.steps.{name}", *flags[name]()]

    def mainline(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "pipelines.cli", *arguments]

    def start(self, command: Sequence[str], *, cwd: Path = ROOT, stdin: str = "") -> "subprocess.Popen[str]":
        """The command as a process group of its own; what it says goes to state's log."""
        with (self.folder / "log").open("a") as log:
            process = subprocess.Popen(
                command, cwd=cwd, env=self.environment, text=True, start_new_session=True,
                stdin=subprocess.PIPE, stdout=log, stderr=subprocess.STDOUT,
            )  # fmt: skip
        assert process.stdin is not None
        with process.stdin as pipe:
            pipe.write(stdin)
        return process

    def complete(self, command: Sequence[str], *, cwd: Path = ROOT, stdin: str = "") -> float:
        """Run to the end, which must be a success; how long it took."""
        begin = time.monotonic()
        code = self.start(command, cwd=cwd, stdin=stdin).wait(timeout=_PATIENCE_SECONDS)
        tail = (self.folder / "log").read_text(errors="replace")[-3000:]
        assert code == 0, f"the next run does not complete: exit code {code} of {' '.join(command[2:4])}\n{tail}"
        return time.monotonic() - begin

    def kill(
        self,
        command: Sequence[str],
        instant: float,
        *,
        cwd: Path = ROOT,
        stdin: str = "",
        descendants: bool = False,
        ready: Callable[[], bool] = lambda: True,
    ) -> bool:
        """`kill -9` of the command's group after `instant` seconds; False where it had ended before.

        Args:
            ready: the seconds count from when this holds.
            descendants: also what it started in other sessions, as when a pod dies. Only the forge's own half of a
                push lives on, since it runs elsewhere.
        """
        process = self.start(command, cwd=cwd, stdin=stdin)
        while not ready() and process.poll() is None:
            time.sleep(0.02)
        try:
            process.wait(timeout=instant)
        except subprocess.TimeoutExpired:
            others = _descendants(process.pid) if descendants else []
            os.killpg(process.pid, signal.SIGKILL)
            for other in others:
                end(other)
        return process.wait() == -signal.SIGKILL

    def save(self) -> None:
        """Keep the state for `restore`."""
        self.settle()
        shutil.rmtree(self.folder / "saved", ignore_errors=True)
        shutil.copytree(self.state, self.folder / "saved")

    def restore(self) -> None:
        """Bring back the saved state."""
        self.settle()
        shutil.rmtree(self.state)
        shutil.copytree(self.folder / "saved", self.state)

    def end_all(self) -> None:
        """End what a failed test left running in this world."""
        for line in _processes("pid=,args="):
            if str(self.folder) in line:
                end(int(line.split()[0]))

    def settle(self) -> None:
        """Wait until nothing that a killed process started still works in this world, such as a push in its session."""
        end_at = time.monotonic() + _SETTLE_SECONDS
        while alive := self._alive():
            assert time.monotonic() < end_at, f"still running: {alive}"
            time.sleep(0.05)

    def _alive(self) -> list[str]:
        """The command lines of what works in this world."""
        return [line for line in _processes("args=") if str(self.folder) in line]

    # --- what must hold after a kill at any instant -----------------------------------------------------------------

    def check(self) -> None:
        """Nothing is half-written, whatever was killed."""
        self.check_bundle()
        self.check_outputs()
        self.check_store()
        self.check_origin()

    def check_bundle(self) -> str | None:
        """The digest of the trained bundle, or None where there is none."""
        folder = self.out / "bundle"
        return open_bundle(folder, None).digest if folder.exists() else None

    def check_outputs(self) -> None:
        """Files that steps hand on: whole or absent."""
        for name in ("training/training.json", "evaluation/metrics.json", "validation/validation.json"):
            if (self.out / name).exists():
                assert read_json(self.out / name), name
        for name, values in (("outcome", {"registered"}), ("version", {"1"}), ("verdict", {"pass"})):
            if (self.out / name).exists():
                assert self.text(name) in values, f"{name}: {self.text(name)!r}"

    def check_store(self) -> list[dict[str, str]]:
        """MLflow's store opens; each version has its bundle. Returns the versions' tags."""
        if not self.store.exists():
            return []
        with closing(sqlite3.connect(self.store, timeout=30)) as database:
            assert database.execute("pragma integrity_check").fetchone() == ("ok",)
            rows = database.execute("select version, source, run_id from model_versions where name = ?", (MODEL,))
            found = []
            for version, source, run_id in rows.fetchall():
                query = "select key, value from model_version_tags where name = ? and version = ?"
                tags = dict(database.execute(query, (MODEL, version)).fetchall())
                assert {"mainline.digest", "mainline.commit", "mainline.verdict"} <= set(tags), tags
                found.append({**tags, "version": str(version), "uri": source, "run": run_id})
            finished = database.execute("select run_uuid from runs where status = 'FINISHED'").fetchall()
        assert len(found) <= 1, f"more than one version: {found}"
        for one in found:
            fetch(one["uri"], self.folder / "fetched", Digest(one["mainline.digest"]))
            shutil.rmtree(self.folder / "fetched")
        assert found or not finished, "a run is FINISHED and has no version"
        return found

    def check_origin(self) -> dict[str, str]:
        """The origin is sound; each proposal is one whole commit that changes one file. Returns branch -> commit."""
        self._check_objects()
        listing = git(self.origin, "for-each-ref", "--format=%(refname:short)=%(objectname)", "refs/heads/propose/")
        proposals = dict(line.split("=", 1) for line in listing.splitlines())
        for branch, commit in proposals.items():
            environment = branch.split("/")[1]
            path = release_path(environment, MODEL)
            assert git(self.origin, "diff", "--name-only", f"main...{commit}").splitlines() == [path], branch
            assert git(self.origin, "rev-list", "--count", f"main..{commit}") == "1", branch
            release = read_release(git(self.origin, "show", f"{commit}:{path}") + "\n")
            assert (release.model, release.version, release.is_released) == (MODEL, branch.split("/")[-1], True)
            said = git(self.origin, "log", "-1", "--format=%an <%ae>%n%B", commit)
            title, body = said.split("\n", 2)[1:]
            assert said.startswith(MACHINE), said
            assert environment in title, said
            assert MODEL in title, said
            assert release.digest in body, said
        assert len(proposals) == len({branch.split("/")[1] for branch in proposals}), f"two proposals: {proposals}"
        return proposals

    def _check_objects(self) -> None:
        """No object of the origin is broken or missing.

        While a push that survived takes its objects in, one file after the other, `git fsck` may see a tree whose blobs
        are not there yet. So it may ask again; what is still so when nothing works here any more is broken.
        """
        end_at = time.monotonic() + _SETTLE_SECONDS
        while time.monotonic() < end_at and self._alive():
            if _git(self.origin, *_FSCK).returncode == 0:
                return
            time.sleep(0.05)
        git(self.origin, *_FSCK)

    def check_complete(self, digest: str | None = None) -> str:
        """One version, one proposal for it, all of the same bundle; returns its digest."""
        self.settle()
        self.check()
        (version,) = self.check_store()
        ((branch, commit),) = self.check_origin().items()
        release = read_release(git(self.origin, "show", f"{commit}:{STAGING}") + "\n")
        assert branch == f"propose/staging/{MODEL}/1"
        assert (release.digest, release.uri, release.run) == (
            version["mainline.digest"], version["uri"], version["run"],
        )  # fmt: skip
        assert digest in (None, release.digest)
        assert not list(self.origin.rglob("*.lock")), "a lock that nobody holds"
        return release.digest


@dataclass
class Killer:
    """Draws instants from a seed, and tells them where a test fails."""

    world: World
    seed: int
    landed: int = 0
    told: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.random = random.Random(self.seed)  # noqa: S311  (instants, no secrets)

    def attack(
        self,
        name: str,
        command: Callable[[], list[str]],
        *,
        kills: int,
        check: Callable[[], object],
        cwd: Path = ROOT,
        rounds: int = 2,
    ) -> None:
        """Kill a command again and again, `rounds` times from a fresh start; then it must complete."""
        world = self.world
        world.save()
        seconds = world.complete(command(), cwd=cwd)
        check()
        for _ in range(rounds):
            world.restore()
            hits = 0
            for number in range(_MISSES * kills):
                if hits == kills // rounds:
                    break
                # half of them anywhere in the run, half in its second half: before that a process mostly imports
                instant = self.random.uniform(0 if number % 2 else seconds / 2, seconds)
                widely = self.random.random() < _WIDELY
                begin = time.monotonic()
                landed = world.kill(command(), instant, cwd=cwd, descendants=widely)
                self.note(f"{name} at {instant:.3f} of {seconds:.3f} s{', descendants too' if widely else ''}", landed)
                world.check()  # at once, while what survived may still work
                hits += landed
                seconds = seconds if landed else min(seconds, time.monotonic() - begin)
            assert hits == kills // rounds, f"{name} ends too soon to be killed: {self.told}"
            self.landed += hits
            world.settle()
            world.check()
            world.complete(command(), cwd=cwd)
            world.settle()
            check()

    def note(self, what: str, landed: bool) -> None:
        """Remember a kill; pytest shows it where the test fails."""
        self.told.append(f"{what}{'' if landed else ' (had ended)'}")
        print(f"seed {self.seed}: {self.told[-1]}", flush=True)


def end(process: int) -> None:
    """`kill -9` of one process that this world started and that may be gone by now."""
    try:
        os.kill(process, signal.SIGKILL)
    except ProcessLookupError:
        return


def _processes(columns: str) -> list[str]:
    listed = subprocess.run(["ps", "-A", "-ww", "-o", columns], capture_output=True, text=True, check=True)
    return listed.stdout.splitlines()


def _descendants(process: int) -> list[int]:
    """Processes below this one, but for the receiving half of a push and what it started."""
    children: dict[int, list[tuple[int, str]]] = {}
    for line in _processes("pid=,ppid=,args="):
        number, parent, command = line.split(None, 2)
        children.setdefault(int(parent), []).append((int(number), command))
    found, open_ends = [], [process]
    while open_ends:
        for child, command in children.get(open_ends.pop(), []):
            if "receive-pack" not in command:
                found.append(child)
                open_ends.append(child)
    return found
