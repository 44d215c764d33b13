"""What is known not to work: adapters refused for their bytes, for good, and loads that failed, for a while.

Torch-free. Both books are bounded, the oldest entry going first, and so is each entry: a stranger who asks
for made-up ids, or for adapters with names of megabytes, fills no memory. Not thread-safe: its owner holds a
lock.
"""

from __future__ import annotations

import copy
from collections import OrderedDict
from collections.abc import Callable

from inference_worker.adapters.refusals import AdapterRefused
from inference_worker.errors import WorkerError

MAX_ENTRIES = 4096
# What a reason quotes is the stranger's, and may be as long as his file.
MAX_REASON_CHARS = 2048


class AdapterQuarantined(WorkerError):
    """This content was refused before; `code` is that of the first refusal."""

    def __init__(self, cid: str, code: str, reason: str) -> None:
        super().__init__(f"adapter {cid} is quarantined: {reason}")
        self.cid, self.code, self.reason = cid, code, reason


class FailureBook:
    """Remembers refusals and failures; `check` repeats them without any work."""

    def __init__(
        self, ttl_seconds: float, clock: Callable[[], float], max_entries: int = MAX_ENTRIES
    ) -> None:
        self._ttl, self._clock, self._max = ttl_seconds, clock, max_entries
        self._refused: OrderedDict[str, tuple[str, str]] = OrderedDict()
        self._failed: OrderedDict[str, tuple[float, WorkerError]] = OrderedDict()

    def check(self, cid: str) -> None:
        """Raise AdapterQuarantined, or again the error of a fetch that failed less than a TTL ago."""
        if cid in self._refused:
            raise AdapterQuarantined(cid, *self._refused[cid])
        if cid in self._failed:
            expires, error = self._failed[cid]
            if self._clock() < expires:
                raise copy.copy(error)
            del self._failed[cid]

    def refuse(self, cid: str, refusal: AdapterRefused) -> None:
        """Remember a refusal; the first one of an id stays its reason."""
        self._refused.setdefault(cid, (refusal.code, _reason(refusal)))
        if len(self._refused) > self._max:
            self._refused.popitem(last=False)

    def fail(self, cid: str, error: WorkerError) -> None:
        """Remember a failure from now on for the TTL."""
        self._failed.pop(cid, None)
        # A copy: the error itself has a traceback, and that holds the bytes which had been fetched by then.
        self._failed[cid] = (self._clock() + self._ttl, copy.copy(error))
        if len(self._failed) > self._max:
            self._failed.popitem(last=False)

    def clear(self, cid: str) -> bool:
        """Forget both; False if neither was known."""
        refused, failed = self._refused.pop(cid, None), self._failed.pop(cid, None)
        return refused is not None or failed is not None

    def refused(self) -> dict[str, tuple[str, str]]:
        """(code, reason) of every quarantined adapter, oldest first."""
        return dict(self._refused)

    def failed(self) -> dict[str, tuple[str, str]]:
        """(code, reason) of every failure still remembered, oldest first."""
        now = self._clock()
        return {cid: (e.code, _reason(e)) for cid, (expires, e) in self._failed.items() if now < expires}


def _reason(error: WorkerError) -> str:
    text = str(error)
    return text if len(text) <= MAX_REASON_CHARS else f"{text[:MAX_REASON_CHARS]}… ({len(text)} characters)"
