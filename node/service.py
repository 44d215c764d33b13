"""How the daemon's parts live: started, stopped, and stepped by one loop that survives a failing step.

This loop holds the node's only broad `except`: a step that fails is logged and counted, then tried again
after a growing delay. Cancellation always passes through.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

import structlog

log = structlog.get_logger(component="service")

MAX_BACKOFF_SECONDS = 60.0


class Service(Protocol):
    """A part of the daemon with a life of its own."""

    @property
    def name(self) -> str:
        """Short and unique; used in logs and metrics."""

    async def start(self) -> None:
        """Returns once the service does its work; raises if it cannot."""

    async def stop(self) -> None:
        """Returns once nothing of it runs any more. Safe to call twice, and before `start`."""


def backoff_seconds(interval: float, failures: int) -> float:
    """The pause after `failures` failed steps in a row: doubling from `interval`, at most a minute."""
    return min(MAX_BACKOFF_SECONDS, max(interval, 0.05) * 2.0 ** min(failures, 20)) if failures else interval


class Loop:
    """A service that runs `step` with pauses of `interval` seconds between steps."""

    def __init__(
        self,
        name: str,
        step: Callable[[], Awaitable[None]],
        interval: float,
        on_failure: Callable[[str], None] | None = None,
    ) -> None:
        self._name = name
        self._step = step
        self._interval = interval
        self._on_failure = on_failure
        self._task: asyncio.Task[None] | None = None
        self.failures = 0
        self.last_error: str | None = None

    @property
    def name(self) -> str:
        """The service's name."""
        return self._name

    async def start(self) -> None:
        """Begins stepping, the first step at once."""
        if self._task is None:
            self._task = asyncio.create_task(self._run(), name=self._name)

    async def stop(self) -> None:
        """Cancels the running step and waits until it is gone."""
        task, self._task = self._task, None
        if task is not None:
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def _run(self) -> None:
        while True:
            await self._step_once()
            await asyncio.sleep(backoff_seconds(self._interval, self.failures))

    async def _step_once(self) -> None:
        try:
            await self._step()
        except Exception as error:
            self.failures += 1
            self.last_error = f"{type(error).__name__}: {error}"
            log.exception("service_step_failed", service=self._name, failures=self.failures)
            if self._on_failure is not None:
                self._on_failure(self._name)
        else:
            self.failures, self.last_error = 0, None


async def start_all(services: Sequence[Service]) -> None:
    """Starts in order; if one cannot start, stops those already started, in reverse, and raises its error."""
    started: list[Service] = []
    try:
        for service in services:
            await service.start()
            started.append(service)
    except BaseException:
        await stop_all(started)
        raise


async def stop_all(services: Sequence[Service]) -> None:
    """Stops in reverse order; one that fails to stop does not keep the others running."""
    for service in reversed(services):
        results = await asyncio.gather(service.stop(), return_exceptions=True)
        for error in results:
            if isinstance(error, BaseException):
                log.error("service_stop_failed", service=service.name, error=str(error))
