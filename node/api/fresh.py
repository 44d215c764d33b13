"""One computation for many readers: a page that everyone reloads costs no more than any other."""

import threading
import time
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

from node.chain.rpc import Chain

T = TypeVar("T")
PERIOD_SECONDS = 2.0


class Fresh(Generic[T]):
    """Calls `compute` again when `key()` has changed; threads that ask at once wait for the one that does."""

    def __init__(self, compute: Callable[[], T], key: Callable[[], Hashable]) -> None:
        self._compute = compute
        self._key = key
        self._lock = threading.Lock()
        self._held: tuple[Hashable, T] | None = None

    def __call__(self) -> T:
        """The value of the present key. A failed computation is not kept."""
        with self._lock:
            key = self._key()
            if self._held is None or self._held[0] != key:
                self._held = (key, self._compute())
            return self._held[1]


def period() -> int:
    """Changes every PERIOD_SECONDS."""
    return int(time.monotonic() / PERIOD_SECONDS)


def head_or_period(chain: Chain) -> Callable[[], Hashable]:
    """Changes with every block, so that a reader sees what they just did, and with time."""
    return lambda: (chain.head().number, period())
