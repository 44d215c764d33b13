"""The bytes that bundles on their way from the node may take together. Torch-free.

A bundle's size is known from its listing, so its bytes are taken from the account before the first of its
files is asked for, and given back when it is packed. Who comes first goes first: a large bundle holds up the
small ones behind it, but none of them can hold it up for ever.
"""

from __future__ import annotations

import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from inference_worker.adapters.refusals import OverCap
from inference_worker.blobs.abort import Abort

DEFAULT_BYTES = 512 * 1024 * 1024


class FetchRoom:
    """An account of `total` bytes. Any thread may use it."""

    def __init__(self, total: int = DEFAULT_BYTES, clock: Callable[[], float] = time.monotonic) -> None:
        self.total, self._held, self._clock = total, 0, clock
        self._changed = threading.Condition()
        self._line: deque[object] = deque()

    @property
    def held(self) -> int:
        """Bytes taken now."""
        return self._held

    @contextmanager
    def taken(self, nbytes: int, abort: Abort) -> Iterator[None]:
        """Hold so many bytes while the block runs, after waiting for them in line.

        The wait does not count against the fetch's time. Raises OverCap for what never fits, FetchAborted
        when somebody gives up.
        """
        if nbytes > self.total:
            raise OverCap("bundle bytes in flight", nbytes, self.total)
        began = self._clock()
        with abort.waking(self._wake):
            self._take(nbytes, abort)
        try:
            abort.extend(self._clock() - began)
            yield
        finally:
            with self._changed:
                self._held -= nbytes
                self._changed.notify_all()

    def _take(self, nbytes: int, abort: Abort) -> None:
        place = object()
        with self._changed:
            self._line.append(place)
            try:
                self._changed.wait_for(lambda: abort.aborted or self._is_next(place, nbytes))
                if abort.aborted:
                    abort.check()
                self._held += nbytes
            finally:
                self._line.remove(place)
                self._changed.notify_all()

    def _is_next(self, place: object, nbytes: int) -> bool:
        return self._line[0] is place and self._held + nbytes <= self.total

    def _wake(self) -> None:
        with self._changed:
            self._changed.notify_all()
