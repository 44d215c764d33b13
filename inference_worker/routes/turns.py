"""How handlers leave the event loop for calls that would hold it up, and how many may wait."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from concurrent.futures import Executor
from functools import partial
from typing import TypeVar

from inference_worker.errors import WorkerError

_R = TypeVar("_R")


class LineFull(WorkerError):
    """As many calls wait already as may; worth a retry."""

    code = "line_full"

    def __init__(self, most: int) -> None:
        super().__init__(f"{most} calls of this kind are under way or wait; ask again")
        self.most = most


class Turns:
    """Calls in an executor, at most `most` at a time, those that wait included. For one event loop."""

    def __init__(self, executor: Executor, most: int) -> None:
        self._executor = executor
        self._most = most
        self.held = 0

    async def take(self, call: Callable[..., _R], *args: object) -> _R:
        """The result of the call; LineFull."""
        if self.held >= self._most:
            raise LineFull(self._most)
        self.held += 1
        try:
            return await in_thread(self._executor, call, *args)
        finally:
            self.held -= 1


async def in_thread(pool: Executor, call: Callable[..., _R], *args: object) -> _R:
    """The result of a call that would hold up the event loop."""
    return await asyncio.get_running_loop().run_in_executor(pool, partial(call, *args))
