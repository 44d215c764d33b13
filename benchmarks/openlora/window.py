"""Decides which tokens of a batch are counted, the same way for every engine.

The window opens when every row has two tokens, so that prompts are done and caches are warm, and closes after
a number of steps of the whole batch. Standard library alone: every peer's environment imports this module.
"""

from __future__ import annotations

import time
from dataclasses import dataclass

from benchmarks.openlora.case import Sample

WARM_TOKENS = 2


@dataclass(frozen=True)
class Instant:
    """Seconds: of the wall clock, of CPU of the whole process, of CPU of the thread that computes."""

    wall: float
    process: float
    thread: float

    @staticmethod
    def now() -> Instant:
        """Called from the thread that computes."""
        return Instant(time.perf_counter(), time.process_time(), time.thread_time())


class Window:
    """Counts the tokens of `rows` streams over `steps` steps."""

    def __init__(self, rows: int, steps: int) -> None:
        self._rows, self._steps = rows, steps
        self._seen, self._last, self._before = [0] * rows, [0] * rows, [Instant(0, 0, 0)] * rows
        self._cold, self._counted = rows, 0
        self._opened: Instant | None = None
        self._closed: Instant | None = None
        self._wall_gaps: list[float] = []
        self._thread_gaps: list[float] = []

    @property
    def is_open(self) -> bool:
        """Whether tokens count now."""
        return self._opened is not None and self._closed is None

    @property
    def is_closed(self) -> bool:
        """Whether everything has been counted."""
        return self._closed is not None

    def saw(self, row: int, token: int) -> None:
        """A row has produced its next token; tokens after the end are ignored."""
        if self._closed is not None:
            return
        now = Instant.now()
        self._seen[row] += 1
        if self._opened is None:
            self._cold -= self._seen[row] == WARM_TOKENS
            if self._cold == 0:
                self._opened = now
        else:
            self._count(row, now)
        if self._seen[row] == WARM_TOKENS + self._steps:
            self._last[row] = token
        self._before[row] = now

    def _count(self, row: int, now: Instant) -> None:
        self._counted += 1
        self._wall_gaps.append(now.wall - self._before[row].wall)
        self._thread_gaps.append(now.thread - self._before[row].thread)
        if self._counted == self._rows * self._steps:
            self._closed = now

    def sample(self) -> Sample:
        """Tokens per second of CPU and of the wall clock, and the time between two tokens of a row."""
        assert self._opened is not None and self._closed is not None, "the window has not closed"
        return Sample(
            {
                "tokens_per_cpu_second": self._counted / (self._closed.process - self._opened.process),
                "tokens_per_second": self._counted / (self._closed.wall - self._opened.wall),
                "gap_p50_ms": 1e3 * quantile(self._wall_gaps, 0.5),
                "gap_p99_ms": 1e3 * quantile(self._wall_gaps, 0.99),
                "gap_cpu_p50_ms": 1e3 * quantile(self._thread_gaps, 0.5),
                "gap_cpu_p99_ms": 1e3 * quantile(self._thread_gaps, 0.99),
            },
            tuple(self._last),
        )


def quantile(values: list[float], share: float) -> float:
    """The smallest value with at least that share of all values at or below it."""
    ordered = sorted(values)
    below = min(len(ordered), max(1, -int(-share * len(ordered) // 1)))
    return ordered[below - 1]
