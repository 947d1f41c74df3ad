"""Rows that wait are bounded, and counted until whoever computes them is done."""

import asyncio
import threading
from functools import partial

import pytest

from services.problems import Kind, Problem
from services.serving.room import Room


def test_rows_beyond_the_bound_are_refused_with_when_to_come_again() -> None:
    room = Room(10)
    room.take(8)
    with pytest.raises(Problem) as refused:
        room.take(3)
    assert (refused.value.kind, refused.value.status, refused.value.headers) == (Kind.BUSY, 503, {"Retry-After": "1"})
    room.take(2)
    room.give_back(8)
    assert room.left == 8


def test_request_larger_than_the_room_has_its_turn_when_it_is_empty() -> None:
    room = Room(10)
    room.take(25)
    with pytest.raises(Problem):
        room.take(1)
    room.give_back(25)
    assert room.left == 10


def test_rows_of_a_request_that_is_given_up_count_until_their_thread_is_done() -> None:
    async def run() -> list[int]:
        room, entered, release = Room(10), threading.Event(), threading.Event()

        def compute() -> None:
            entered.set()
            release.wait(5)

        left = []
        tasks = [asyncio.create_task(room.run(3, compute)) for _ in range(3)]
        await asyncio.to_thread(partial(entered.wait, 5))
        left.append(room.left)
        for task in tasks:
            task.cancel()
        await asyncio.wait(tasks)
        await asyncio.sleep(0.01)
        left.append(room.left)  # two are in threads; the third had not begun
        release.set()
        while room.left < 10:
            await asyncio.sleep(0.01)
        return left

    assert asyncio.run(run()) == [1, 4]


def test_what_the_thread_raises_is_raised() -> None:
    async def run() -> None:
        room = Room(10)
        with pytest.raises(Problem):
            await room.run(3, partial(_refuse))
        await asyncio.sleep(0.01)
        assert room.left == 10

    asyncio.run(run())


def _refuse() -> None:
    raise Problem(Kind.SHAPE, "no")
