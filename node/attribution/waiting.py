"""Answers whose sources are being asked for: how long, and what keeps them, for whoever asks by id.

Two bounds, in seconds. After `promised` a reader is told that the attribution is late, and why. After `last`
waiting ends: the answer is receipted as unattributed, with the reason, since those who earn by it otherwise,
and the payer, whose money is reserved for it, cannot wait for ever.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

DAY = 86_400.0


@dataclass(frozen=True)
class Bounds:
    """In seconds from the first time that a worker was asked."""

    promised: float = 120.0
    last: float = DAY


@dataclass(frozen=True)
class Wait:
    """One answer's wait so far; `reason` is what kind of failure the last try was, empty if none failed."""

    seconds: int
    promised: int
    reason: str

    @property
    def overdue(self) -> bool:
        """Whether the promised bound has passed."""
        return self.seconds > self.promised


class Waiting:
    """The waits of this process. `clock` is monotonic, in seconds."""

    def __init__(self, bounds: Bounds, clock: Callable[[], float]) -> None:
        self._bounds = bounds
        self._clock = clock
        self._since: dict[bytes, float] = {}
        self._reasons: dict[bytes, str] = {}

    def begin(self, request_id: bytes) -> None:
        """A worker is about to be asked."""
        self._since[request_id] = self._clock()

    def failed(self, request_id: bytes, reason: str) -> bool:
        """A try came to nothing; whether the last bound has passed."""
        self._reasons[request_id] = reason
        return self._clock() - self._since[request_id] > self._bounds.last

    def end(self, request_id: bytes) -> None:
        """However it ended."""
        self._since.pop(request_id, None)
        self._reasons.pop(request_id, None)

    def of(self, request_id: bytes) -> Wait | None:
        """One answer's wait; None where nobody is being asked about it."""
        since = self._since.get(request_id)
        if since is None:
            return None
        reason = self._reasons.get(request_id, "")
        return Wait(int(self._clock() - since), int(self._bounds.promised), reason)
