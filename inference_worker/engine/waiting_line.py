"""The requests that wait: a line for each tenant, and the order in which the heads of the lines may start.

Pure and torch-free. Among the heads the tenant that had least goes first. A head that others passed too often
goes before all, and nobody passes it any more, so that none waits for ever.
"""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable
from dataclasses import dataclass

from inference_worker.engine.sequence import Admission


@dataclass
class Waiting:
    """A request in line. `charged` is None if it never ran, else the length up to which its output was
    charged before it was preempted; `head_since` counts the starts before it became the head of its line."""

    admission: Admission
    charged: int | None = None
    head_since: int = 0


class WaitingLines:
    """One line a tenant, first come first served within it."""

    def __init__(self, passes: int) -> None:
        self._passes, self._started = passes, 0
        self._lines: OrderedDict[str, deque[Waiting]] = OrderedDict()

    def __len__(self) -> int:
        return sum(len(line) for line in self._lines.values())

    def append(self, waiting: Waiting) -> None:
        """Join the end of the tenant's line."""
        self._line(waiting).append(waiting)

    def put_back(self, waiting: Waiting) -> None:
        """Return to the front of the tenant's line."""
        waiting.head_since = self._started
        self._line(waiting).appendleft(waiting)

    def _line(self, waiting: Waiting) -> deque[Waiting]:
        line = self._lines.setdefault(waiting.admission.tenant, deque())
        if not line:
            waiting.head_since = self._started
        return line

    def aged(self, waiting: Waiting) -> bool:
        """Whether so many others started since this one became a head that nobody may pass it any more."""
        return self._started - waiting.head_since >= self._passes

    def heads(self, level: Callable[[str], float]) -> list[Waiting]:
        """The first of each line in the order of starting; `level` is what a tenant had so far."""

        def rank(head: Waiting) -> tuple[bool, float, int, int]:
            aged = self.aged(head)
            had = 0.0 if aged else level(head.admission.tenant)
            return (not aged, had, head.head_since, head.admission.sequence)

        return sorted((line[0] for line in self._lines.values()), key=rank)

    def start(self, waiting: Waiting) -> None:
        """Take a head out of its line, for it starts now."""
        self._started += 1
        self._take(waiting)

    def remove(self, sequence: int) -> Waiting | None:
        """Take a request out wherever it stands; None if it does not wait."""
        for line in self._lines.values():
            for waiting in line:
                if waiting.admission.sequence == sequence:
                    self._take(waiting)
                    return waiting
        return None

    def _take(self, waiting: Waiting) -> None:
        tenant = waiting.admission.tenant
        line = self._lines[tenant]
        was_head = line[0] is waiting
        line.remove(waiting)
        if not line:
            del self._lines[tenant]
        elif was_head:
            line[0].head_since = self._started
