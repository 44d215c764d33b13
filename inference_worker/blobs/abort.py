"""Ends a fetch from outside: at a deadline, or because nobody waits for it any more.

A thread that waits on a socket cannot be interrupted, but its socket can be shut down, which wakes it at
once.
"""

from __future__ import annotations

import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from inference_worker.errors import WorkerError


class FetchAborted(WorkerError):
    """The fetch was given up before its end."""

    code = "fetch_aborted"

    def __init__(self, reason: str) -> None:
        super().__init__(f"fetch given up: {reason}")
        self.reason = reason


class Abort:
    """One fetch's way to be ended. `abort` may be called from any thread, at any time, more than once."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seconds, self._ends = 0.0, math.inf
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self._reason = ""
        self._wakes: list[Callable[[], None]] = []

    @property
    def aborted(self) -> bool:
        """Whether somebody gave up."""
        return bool(self._reason)

    def limit(self, seconds: float) -> None:
        """Let the fetch take so long from now on and no longer."""
        self._seconds, self._ends = seconds, self._clock() + seconds

    def extend(self, seconds: float) -> None:
        """Do not count a wait that was not the fetch's own."""
        self._ends += seconds

    def abort(self, reason: str) -> None:
        """Give up; whoever reads from the attached socket wakes and finds FetchAborted at its next check."""
        with self._lock:
            self._reason = self._reason or reason
            if self._socket is not None:
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)
            wakes = tuple(self._wakes)
        # Outside of the lock: who is woken holds locks of its own.
        for wake in wakes:
            wake()

    @contextmanager
    def waking(self, wake: Callable[[], None]) -> Iterator[None]:
        """Call `wake` when somebody gives up while the block waits for something else than a socket."""
        with self._lock:
            self._wakes.append(wake)
        try:
            yield
        finally:
            with self._lock:
                self._wakes.remove(wake)

    def attach(self, connected: socket.socket) -> None:
        """Name the socket that the fetch waits on from now; raises FetchAborted as `check` does."""
        with self._lock:
            self._socket = connected
        self.check()

    def detach(self) -> None:
        """The fetch waits no longer."""
        with self._lock:
            self._socket = None

    def check(self) -> None:
        """Raise FetchAborted if it was given up or its time is over; else bound the next wait."""
        if self._reason:
            raise FetchAborted(self._reason)
        left = self._ends - self._clock()
        if left <= 0:
            raise FetchAborted(f"not complete after {self._seconds:g} seconds")
        with self._lock:
            if self._socket is not None and left < math.inf:
                own = self._socket.gettimeout()
                self._socket.settimeout(left if own is None else min(own, left))
