"""The daemon's part in training: what an earlier process left unfinished is watched to its end."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from node.training.coordinator import TrainingCoordinator


class TrainingFollower:
    """A service that follows every unfinished job from start to stop; stopping ends no job."""

    name = "training"

    def __init__(self, coordinator: TrainingCoordinator) -> None:
        self._coordinator = coordinator
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Begins to watch."""
        self._task = asyncio.create_task(self._coordinator.watch_all(), name=self.name)

    async def stop(self) -> None:
        """Leaves the jobs to the worker."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task
