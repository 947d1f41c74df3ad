"""`kill -9` at seeded random instants of the real processes: nothing is half-written, and the next run completes.

The instants are drawn from a seed and from how long the same command takes here when left alone. A failing test prints
the seed and every instant; they hit other lines on another machine, which is the point: no instant may matter.
"""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.faults.world import MODEL, Killer, World, git

pytestmark = pytest.mark.faults

_KILLS = 8  # of each of four steps, in each of two lanes: 64


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made = World(tmp_path / "world")
    yield made
    made.end_all()


@pytest.mark.parametrize("seed", [20240607, 7])
def test_killed_step_leaves_nothing_half_written(world: World, seed: int) -> None:
    killer = Killer(world, seed)
    world.complete(world.step("pull_data"))
    world.complete(world.step("start_run"))
    world.complete(world.step("validate_data"))
    digests: set[str] = set()

    def trained() -> None:
        digests.add(world.check_bundle() or "no bundle")
        assert len(digests) == 1, f"the same training, another digest: {digests}"

    killer.attack("train", lambda: world.step("train"), kills=_KILLS, check=trained)
    (digest,) = digests
    world.complete(world.step("evaluate"))

    def registered() -> None:
        (version,) = world.check_store()
        assert version["mainline.digest"] == digest
        assert (world.text("outcome"), world.text("version")) == ("registered", "1")

    killer.attack("register", lambda: world.step("register"), kills=_KILLS, check=registered)
    killer.attack(
        "propose", lambda: world.step("propose_release"), kills=_KILLS, check=lambda: world.check_complete(digest)
    )
    _merge(world, f"propose/staging/{MODEL}/1")

    def promoted() -> None:
        assert list(world.check_origin()) == [f"propose/production/{MODEL}/1"]
        assert not list(world.origin.rglob("*.lock")), "a lock that nobody holds"

    promote = world.mainline("promote", MODEL)
    killer.attack("promote", lambda: promote, kills=_KILLS, check=promoted, cwd=world.clone)
    assert killer.landed == 4 * _KILLS


def test_killed_first_use_of_the_store_leaves_no_half_made_store(world: World) -> None:
    killer = Killer(world, 11)
    world.complete(world.step("pull_data"))

    def one_run() -> None:
        assert len(world.text("run")) == 32

    killer.attack("start_run", lambda: world.step("start_run"), kills=6, check=one_run, rounds=3)


def test_killed_executor_goes_on_where_it_was(world: World) -> None:
    killer = Killer(world, 3)
    train = world.mainline("train", MODEL)
    for instant in (killer.random.uniform(1, 9) for _ in range(6)):
        # without its descendants: the step that it started lives on, and the next executor has to end it
        landed = world.kill(train, instant, cwd=world.clone, descendants=killer.random.random() < 0.3)
        killer.note(f"mainline train at {instant:.3f} s", landed)
        world.check()
    world.complete(train, cwd=world.clone)
    digest = world.check_complete()
    world.complete(train, cwd=world.clone)  # a second trigger finds everything done
    world.check_complete(digest)


def test_killed_hook_is_worked_off_by_the_next_push_in_the_order_of_history(world: World) -> None:
    killer = Killer(world, 5)
    queue = world.state / "home" / "queue"
    hook = world.mainline("hook", "post-receive")

    def noted() -> int:
        return len([*queue.glob("waiting/*.json"), *queue.glob("done/*.json")])

    def push(path: str) -> str:
        old = world.commit
        new = _commit(world, path, "# one more line\n")
        return f"{old} {new} refs/heads/main\n"

    for number in range(4):
        line, before = push("README.md" if number else f"models/{MODEL}/train.py"), noted()
        instant = killer.random.uniform(0, 10)
        # from when the push is noted: a hook that dies before that has heard of nothing
        landed = world.kill(hook, instant, cwd=world.origin, stdin=line, ready=lambda seen=before: noted() > seen)  # type: ignore[misc]
        killer.note(f"hook at {instant:.3f} s after the note", landed)
        world.check()
    world.complete(hook, cwd=world.origin, stdin=push("README.md"))
    world.check_complete()
    assert not list(queue.glob("waiting/*.json"))
    log = (world.folder / "log").read_text()
    assert log.index(f"{MODEL}: Succeeded registered") < log.index(f"main {world.commit[:12]}: nothing to train")


def _commit(world: World, path: str, more: str) -> str:
    with (world.clone / path).open("a") as file:
        file.write(more)
    git(world.clone, "commit", "--quiet", "--all", "--message", f"change {path}")
    git(world.clone, "push", "--quiet", "origin", "HEAD:main")
    return world.commit


def _merge(world: World, branch: str) -> None:
    git(world.clone, "fetch", "--quiet", "origin")
    git(world.clone, "merge", "--quiet", "--no-ff", "--message", f"merge {branch}", f"origin/{branch}")
    git(world.clone, "push", "--quiet", "origin", "HEAD:main", f":{branch}")
