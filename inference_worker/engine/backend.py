"""What the server asks of whatever computes answers, so that one set of routes drives any engine."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from inference_worker.engine.job import GenerationJob


@dataclass(frozen=True)
class EngineLoad:
    """How busy the engine is: sequences running and waiting, positions that the running ones hold and that
    are kept for reuse, and whether it takes no more."""

    running: int
    waiting: int
    held_positions: int
    kept_positions: int
    closing: bool


class Backend(Protocol):
    """Takes jobs and tells their events. `submit` and `cancel` may be called from any thread."""

    def start(self) -> None:
        """Begin to compute; returns when jobs are taken."""
        ...

    def submit(self, job: GenerationJob) -> int:
        """Take a job and return its number; raises a WorkerError, and then calls nothing of the job."""
        ...

    def cancel(self, sequence: int) -> None:
        """End a job without a further event; unknown or finished ones are ignored."""
        ...

    def close(self, drain_seconds: float) -> bool:
        """Refuse new jobs, let the running ones end, then stop; True if all ended in time."""
        ...

    def load(self) -> EngineLoad:
        """A snapshot for health and metrics."""
        ...

    def wait(self) -> None:
        """Return when nothing is computed any more, whatever ended it."""
        ...
