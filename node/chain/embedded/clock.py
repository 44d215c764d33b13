"""Chain time: the wall clock plus an offset that tests may move, always after the parent block's time."""

import time
from collections.abc import Callable
from dataclasses import dataclass, field


def wall_seconds() -> int:
    """Unix seconds of this machine."""
    return int(time.time())


@dataclass
class ChainClock:
    """`offset` seconds ahead of the wall; `next_timestamp`, when set, decides the next block alone."""

    offset: int = 0
    next_timestamp: int | None = None
    wall: Callable[[], int] = field(default=wall_seconds)

    def stamp(self, parent: int) -> int:
        """The time the next block on top of `parent` gets."""
        wanted = self.next_timestamp if self.next_timestamp is not None else self.wall() + self.offset
        return max(wanted, parent + 1)

    def now(self, head: int) -> int:
        """The time that a call on the head sees."""
        wanted = self.next_timestamp if self.next_timestamp is not None else self.wall() + self.offset
        return max(wanted, head)

    def mined(self, timestamp: int) -> None:
        """After a block: a time set by hand is used up, and later blocks go on from it."""
        if self.next_timestamp is not None:
            self.offset = max(self.offset, timestamp - self.wall())
            self.next_timestamp = None

    def advance(self, seconds: int, head: int) -> int:
        """Moves time on by `seconds` from what the chain now shows; returns the offset in force."""
        # Blocks made faster than one a second run ahead of the wall: count from the head.
        self.offset = max(self.offset, head - self.wall()) + seconds
        return self.offset
