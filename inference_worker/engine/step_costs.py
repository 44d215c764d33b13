"""Whose work a step was: its time is divided among its rows, and what is booked sums to what was measured.

A prompt's piece is its request's alone; a decode step is shared evenly by the rows in it, for each waits for
all. Torch-free; all calls come from the engine's thread, but that any thread may have started it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

Book = Callable[[str | None, int], None]


def processor_microseconds(threads: int) -> Callable[[], int]:
    """A clock of the processor's time that the calling thread had, whole microseconds, times the number of
    `threads` that compute with it: exact for one, an upper bound for more, since all are held for the step.
    """
    return lambda: time.thread_time_ns() * threads // 1000


class StepCosts:
    """Books each sequence's share when it ends: its adapter's content id, None for the base, and microseconds
    of `clock`."""

    def __init__(self, book: Book, clock: Callable[[], int]) -> None:
        self._book, self._clock = book, clock
        self._adapters: dict[int, str | None] = {}
        self._spent: dict[int, int] = {}
        self._ended: list[int] = []
        self._open = False

    def begin(self, sequence: int, adapter: str | None) -> None:
        """A sequence may have shares from now on."""
        self._adapters[sequence], self._spent[sequence] = adapter, 0

    @contextmanager
    def shared(self, sequences: Sequence[int]) -> Iterator[None]:
        """Divide the time of the block among the sequences; those that end in it have their share of it, and
        one that has ended before it has none."""
        rows = [sequence for sequence in sequences if sequence in self._spent]
        started, self._open = self._clock(), True
        try:
            yield
        finally:
            self._open = False
            self._divide(self._clock() - started, rows)
            ended, self._ended = self._ended, []
            for sequence in ended:
                self.end(sequence)

    def _divide(self, microseconds: int, rows: Sequence[int]) -> None:
        for place, sequence in enumerate(rows):
            each, rest = divmod(microseconds, len(rows))
            self._spent[sequence] += each + (place < rest)

    def end(self, sequence: int) -> None:
        """A sequence ended: book it, within a block after its share of that."""
        if self._open:
            self._ended.append(sequence)
            return
        self._book(self._adapters.pop(sequence), self._spent.pop(sequence))


def not_booked() -> StepCosts:
    """For an engine whose costs nobody asks for."""
    return StepCosts(lambda adapter, microseconds: None, lambda: 0)
