"""The service loop survives failing steps and stops when told."""

import asyncio
from collections.abc import Callable

import pytest

from node.service import MAX_BACKOFF_SECONDS, Loop, backoff_seconds, start_all, stop_all


async def until(condition: Callable[[], bool]) -> None:
    """Waits for a condition that a service brings about."""
    async with asyncio.timeout(5):
        while not condition():  # noqa: ASYNC110 - the service tells nobody
            await asyncio.sleep(0.001)


async def test_a_failing_step_is_counted_and_tried_again() -> None:
    """SPEC 0.57"""
    ran, failed = [], []

    async def step() -> None:
        ran.append(len(ran))
        if len(ran) <= 2:
            raise RuntimeError("the chain is away")

    loop = Loop("test", step, 0.0, failed.append)
    await loop.start()
    await until(lambda: loop.failures == 1)
    assert loop.last_error == "RuntimeError: the chain is away"
    await until(lambda: loop.failures == 2)
    await until(lambda: loop.failures == 0 and len(ran) >= 3)
    assert failed == ["test", "test"]
    assert loop.last_error is None
    await loop.stop()


async def test_stop_cancels_a_running_step_and_nothing_runs_after() -> None:
    """SPEC 0.57"""
    started, cancelled = asyncio.Event(), []

    async def step() -> None:
        started.set()
        try:
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            cancelled.append(True)
            raise

    loop = Loop("test", step, 0.0)
    await loop.stop()
    await loop.start()
    await loop.start()
    await started.wait()
    await loop.stop()
    await loop.stop()
    assert cancelled == [True]
    assert not [task for task in asyncio.all_tasks() if task.get_name() == "test"]


def test_the_pause_grows_and_stays_bounded() -> None:
    """SPEC 0.57"""
    pauses = [backoff_seconds(0.5, failures) for failures in range(0, 100)]
    assert pauses[0] == 0.5
    assert pauses == sorted(pauses)
    assert pauses[-1] == MAX_BACKOFF_SECONDS


class Part:
    def __init__(self, name: str, journal: list[str], fails: str = "") -> None:
        self.name, self.journal, self.fails = name, journal, fails

    async def start(self) -> None:
        if self.fails == "start":
            raise RuntimeError(self.name)
        self.journal.append(f"+{self.name}")

    async def stop(self) -> None:
        self.journal.append(f"-{self.name}")
        if self.fails == "stop":
            raise RuntimeError(self.name)


async def test_what_started_is_stopped_in_reverse_when_a_later_part_cannot_start() -> None:
    """SPEC 0.57"""
    journal: list[str] = []
    parts = [Part("a", journal), Part("b", journal), Part("c", journal, "start"), Part("d", journal)]
    with pytest.raises(RuntimeError, match="c"):
        await start_all(parts)
    assert journal == ["+a", "+b", "-b", "-a"]


async def test_one_part_that_fails_to_stop_does_not_keep_the_others() -> None:
    """SPEC 0.57"""
    journal: list[str] = []
    parts = [Part("a", journal), Part("b", journal, "stop")]
    await start_all(parts)
    await stop_all(parts)
    assert journal == ["+a", "+b", "-b", "-a"]
