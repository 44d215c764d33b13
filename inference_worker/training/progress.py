"""Progress of a whole job as steps of weighted phases, with the remaining seconds from the pace so far."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from inference_worker.errors import JobCancelled
from inference_worker.training.job_folder import JobFolder
from protocol.wire_jobs import JobStatus


@dataclass(frozen=True)
class Phase:
    """A named part of a job; `weight` is the cost of one of its units relative to a training step."""

    name: str
    units: int
    weight: float


class JobProgress:
    """Writes the status file after each unit, and turns a cancel mark into JobCancelled."""

    def __init__(
        self, folder: JobFolder, phases: tuple[Phase, ...], clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._folder = folder
        self._job_id = folder.spec().job_id
        self._phases = phases
        self._clock = clock
        self._began = clock()
        self._first: float | None = None
        self._finished = 0.0
        self._loss: float | None = None

    def report(self, phase: str, done: int, loss: float | None = None, message: str = "") -> None:
        """`done` units of `phase` are finished; raises JobCancelled when asked to stop."""
        if self._folder.is_cancelled():
            raise JobCancelled(self._job_id)
        if loss is not None:
            self._loss = loss
        finished, total = self._work(phase, done)
        if self._first is None:
            # A resumed job starts with work done earlier, at no cost to this process.
            self._first = finished
        self._finished = finished
        current = self._phase(phase)
        self._folder.write(
            JobStatus(
                self._job_id,
                "running",
                phase,
                done,
                current.units,
                self._loss,
                self._eta(finished, total),
                message,
                None,
            )
        )

    def seconds_of(self, phase: str) -> float | None:
        """What a whole phase will take at the pace so far; None while there is none."""
        here = self._finished - (self._first or 0.0)
        if here <= 0:
            return None
        work = self._phase(phase).units * self._phase(phase).weight
        return round((self._clock() - self._began) / here * work, 1)

    def _phase(self, name: str) -> Phase:
        return next(phase for phase in self._phases if phase.name == name)

    def _work(self, phase: str, done: int) -> tuple[float, float]:
        names = [p.name for p in self._phases]
        before = sum(p.units * p.weight for p in self._phases[: names.index(phase)])
        total = sum(p.units * p.weight for p in self._phases)
        return before + done * self._phases[names.index(phase)].weight, total

    def _eta(self, finished: float, total: float) -> float | None:
        here = finished - (self._first or 0.0)
        if here <= 0:
            return None
        return round((self._clock() - self._began) / here * (total - finished), 1)
