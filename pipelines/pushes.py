"""What a push sets in motion on this machine: the stand-in for a forge's webhook and its queue.

The post-receive hook of a bare repository notes each pushed branch in a file, then works off what is noted, one push
at a time, in the order of history: two pushes in quick succession train both commits and release in main's order. A
note goes only when its trainings have ended, so what a killed hook left over is done by the next.
"""

import json
import os
import re
import shlex
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from models.errors import ConfigError, MainlineError
from pipelines.changed import changed_between
from pipelines.local import ROOT, Event, Result
from pipelines.process import exclusive
from pipelines.settings import Settings
from pipelines.submit import MAIN, Request, submit

# Branches that carry a release, or take one back, and no code to train; Mainline itself pushes them.
PROPOSALS = ("propose/", "revert/")
_HEADS = "refs/heads/"
# One file, named by its process, for each hook that has begun and not yet noted its push.
_ARRIVING = "mainline-arriving"
_ARRIVAL_SECONDS = 10.0  # Python starts in less than one
_LINE = re.compile(r"([0-9a-f]{40,64}) ([0-9a-f]{40,64}) (\S+)")


@dataclass(frozen=True)
class Push:
    """One branch that moved."""

    old: str
    new: str
    branch: str


Train = Callable[[Request], Result]


def post_receive(lines: Iterable[str], repo: Path, environ: Mapping[str, str] = os.environ) -> int:
    """The hook: note what was pushed, then train until nothing is noted. Exit code 0 even where a gate refused a model.

    Args:
        lines: `OLD NEW REF`, as git writes them to the hook.
        repo: the bare repository.
    """
    repo = repo.resolve()
    settings = Settings.from_environ(ROOT, environ)
    notes = enqueue(settings.queue, pushed(lines))
    (repo / _ARRIVING / str(os.getpid())).unlink(missing_ok=True)
    if not notes:
        return 0  # a proposal's own push arrives while the queue is worked off
    await_arriving(repo / _ARRIVING)

    def train(request: Request) -> Result:
        return submit(request, settings, repo=repo, on_event=_show)

    for line in drain(settings.queue, repo, train):
        print(line, flush=True)
    return 0


def pushed(lines: Iterable[str]) -> list[Push]:
    """The branches of a hook's input that may have something to train: no tags, no deletions, no proposals.

    Raises:
        ConfigError: a line that git would not write.
    """
    pushes = []
    for line in lines:
        match = _LINE.fullmatch(line.strip())
        if match is None:
            raise ConfigError([f"post-receive: got {line.strip()!r}, must be OLD NEW REF as git writes it"])
        old, new, ref = match.groups()
        branch = ref.removeprefix(_HEADS)
        if ref.startswith(_HEADS) and set(new) != {"0"} and not branch.startswith(PROPOSALS):
            pushes.append(Push(old, new, branch))
    return pushes


def enqueue(folder: Path, pushes: Iterable[Push]) -> list[Path]:
    """Note each push in a file of its own, whole or not at all."""
    waiting = folder / "waiting"
    waiting.mkdir(parents=True, exist_ok=True)
    notes = []
    for number, push in enumerate(pushes):
        note = waiting / f"{time.time_ns():020d}-{number:03d}-{os.getpid()}.json"
        partial = note.with_suffix(".partial")
        partial.write_text(json.dumps(asdict(push)), encoding="utf-8")
        os.replace(partial, note)
        notes.append(note)
    return notes


def await_arriving(folder: Path, seconds: float = _ARRIVAL_SECONDS) -> None:
    """Let hooks that began before note their pushes: a later push's hook may overtake an earlier one's by its start."""
    deadline = time.monotonic() + seconds
    for marker in folder.glob("*"):
        while marker.exists() and time.monotonic() < deadline:
            try:
                os.kill(int(marker.name), 0)
            except ProcessLookupError:
                marker.unlink(missing_ok=True)  # killed before it noted anything
            time.sleep(0.02)


def drain(folder: Path, repo: Path, train: Train) -> Iterable[str]:
    """Work off the notes, the oldest commit first; lines for a person as it goes.

    A second caller waits for the first and finds what is left. A push that cannot be trained is said and set aside; an
    interruption leaves its note for the next call.
    """
    done = folder / "done"
    done.mkdir(parents=True, exist_ok=True)
    with exclusive(folder / "lock"):
        while notes := list((folder / "waiting").glob("*.json")):
            note, push = min(((note, _read(note)) for note in notes), key=lambda pair: (_age(repo, pair[1]), pair[0]))
            said = []
            for line in _train_push(repo, push, train):
                said.append(line)
                yield line
            record = {**asdict(push), "said": said}
            partial = note.with_suffix(".partial")
            partial.write_text(json.dumps(record), encoding="utf-8")
            os.replace(partial, done / note.name)
            note.unlink()


def install_hook(bare: Path, python: Path, environment: Mapping[str, str]) -> Path:
    """Make a bare repository train what is pushed to it.

    Args:
        python: interpreter whose environment holds Mainline.
        environment: what the hook's settings are read from, such as MAINLINE_HOME.
    """
    hook = bare / "hooks" / "post-receive"
    exports = "".join(f"export {name}={shlex.quote(value)}\n" for name, value in sorted(environment.items()))
    text = (
        "#!/bin/sh\n"
        "# Written by `mainline`: trains what a push concerns.\n"
        "set -eu\n"
        f"{exports}"
        "# git tells a hook where its repository is; a git that a step starts must find its own\n"
        "unset $(git rev-parse --local-env-vars)\n"
        "# said before Python starts, so that the hook of a later push waits for this one's note\n"
        f"mkdir -p {_ARRIVING}\n"
        f": > {_ARRIVING}/$$\n"
        f"exec {shlex.quote(str(python))} -m pipelines.cli hook post-receive\n"
    )
    hook.parent.mkdir(parents=True, exist_ok=True)
    partial = hook.with_suffix(".partial")
    partial.write_text(text, encoding="utf-8")
    partial.chmod(0o755)
    os.replace(partial, hook)
    return hook


def _train_push(repo: Path, push: Push, train: Train) -> Iterable[str]:
    where = f"{push.branch} {push.new[:12]}"
    try:
        changes = changed_between(repo, push.old, push.new, main="" if push.branch == MAIN else MAIN)
    except MainlineError as err:
        yield f"{where}: {err}"
        return
    yield from (f"{where}: {note}" for note in changes.notes)
    if not changes.models:
        yield f"{where}: nothing to train"
    for model in changes.models:
        yield f"{where}: {model}: {changes.reasons[model]}"
        try:
            result = train(Request(model, push.new, push.branch))
        except MainlineError as err:
            yield f"{where}: {model}: Error: {err}"
        else:
            outcome = result.output("register", "outcome")
            yield f"{where}: {model}: {result.phase} {outcome or result.message}".rstrip()


def _age(repo: Path, push: Push) -> int:
    """How many commits lead to it: an ancestor has fewer, so history's order is the order of these numbers."""
    counted = subprocess.run(
        ["git", "-C", str(repo), "rev-list", "--count", push.new, "--"], capture_output=True, text=True, check=False
    )
    # a commit that is gone has no place in history; it is said first and set aside
    return int(counted.stdout) if counted.returncode == 0 else 0


def _read(note: Path) -> Push:
    return Push(**json.loads(note.read_text(encoding="utf-8")))


def _show(event: Event) -> None:
    if event.status not in ("Running", "Omitted"):
        message = f" {event.message}" if event.message else ""
        print(
            f"  {event.workflow} {event.task}: {event.status} {event.seconds:.1f} s{message}",
            file=sys.stderr,
            flush=True,
        )
