"""A process of its own for work that would hold up the step loop by the interpreter's lock.

There is one, it does one thing at a time, and it ends with this process however that one ends. One that dies
costs the call that it had and no other: the next call finds another begun. Calls and results are our own
values, never bytes from outside unread.
"""

from __future__ import annotations

import multiprocessing
import os
import signal
import threading
from collections.abc import Callable
from concurrent.futures import CancelledError, Future, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from contextlib import suppress
from typing import Literal, TypeVar

from inference_worker.errors import WorkerError
from inference_worker.lifetime import die_with

T = TypeVar("T")

# A step of the batch goes before what is done apart wherever they want the same core.
NICENESS = 5


class ProcessDied(WorkerError):
    """The process ended while it had a call, or takes no more."""

    code = "process_died"


class LoneProcess:
    """One process, begun when it is made and begun anew when it has died. Safe to use from any thread.

    `first` says how it is begun: a "fork" is there at once, but only where there are no other threads, whose
    locks it would inherit. `prepare(*arguments)` is the first thing that it runs, and must not fail.
    """

    def __init__(
        self, first: Literal["fork", "spawn"], prepare: Callable[..., None], *arguments: object
    ) -> None:
        self._turn = threading.Lock()
        self._initial = (os.getpid(), prepare, arguments)
        self._ended = False
        self._begin(first)

    def run(self, call: Callable[..., T], *arguments: object, seconds: float | None = None) -> T:
        """What `call` returns or raises there; ProcessDied. One that takes longer than `seconds` is
        killed.
        """
        # One by one: whatever lies in a pool fails when its process dies.
        with self._turn:
            try:
                future = self._pool.submit(call, *arguments)
            except BrokenProcessPool as error:
                raise self._died("it had ended before") from error
            except RuntimeError as error:
                # What a pool says that takes no more.
                raise ProcessDied(str(error)) from error
            self._kill_after(seconds, future)
            try:
                return future.result()
            except BrokenProcessPool as error:
                raise self._died("it ended while it had this") from error
            except CancelledError as error:
                raise ProcessDied("it is being closed") from error

    @property
    def pid(self) -> int:
        """The process's id, as it was begun last; waits for its start."""
        return self._pid.result()

    def close(self) -> None:
        """End the process, after the call that it has; calls that wait for it fail."""
        self._pool.shutdown(cancel_futures=True)

    def kill(self) -> None:
        """End the process at once; the call that it has fails, and so does every further one."""
        self._ended = True
        self._end_process()
        self.close()

    def _begin(self, method: str) -> None:
        context = multiprocessing.get_context(method)
        self._pool = ProcessPoolExecutor(1, context, initializer=_prepare, initargs=self._initial)
        # A pool starts its process with its first task.
        self._pid: Future[int] = self._pool.submit(os.getpid)

    def _died(self, reason: str) -> ProcessDied:
        # Not a fork: by now there are threads.
        if not self._ended:
            self._begin("spawn")
        return ProcessDied(reason)

    def _kill_after(self, seconds: float | None, future: Future[T]) -> None:
        if seconds is not None and not wait([future], seconds).done:
            self._end_process()

    def _end_process(self) -> None:
        with suppress(BrokenProcessPool, CancelledError, ProcessLookupError):
            os.kill(self._pid.result(), signal.SIGKILL)


def _prepare(parent: int, prepare: Callable[..., None], arguments: tuple[object, ...]) -> None:
    die_with(parent)
    # Who stops a whole terminal or service means the parent, which ends this process when it is done.
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    os.nice(NICENESS)
    prepare(*arguments)
