"""The daemon's part in training: what an earlier process left unfinished is watched to its end."""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine
from contextlib import suppress

from node.training.coordinator import TrainingCoordinator


class TrainingFollower:
    """A service that follows every unfinished job, and those given to `follow`, until it stops; stopping ends
    no job.
    """

    name = "training"

    def __init__(self, coordinator: TrainingCoordinator) -> None:
        self._coordinator = coordinator
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Begins to watch."""
        self._watch(self._coordinator.watch_all())

    def follow(self, job_id: str) -> None:
        """Watches a job that was ordered after the start; call it from the event loop."""
        self._watch(self._coordinator.follow(job_id))

    async def stop(self) -> None:
        """Leaves the jobs to the worker."""
        tasks, self._tasks = self._tasks, set()
        for task in tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task

    def _watch(self, watching: Coroutine[None, None, None]) -> None:
        task = asyncio.create_task(watching, name=self.name)
        self._tasks.add(task)
