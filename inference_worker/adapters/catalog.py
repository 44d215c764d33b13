"""The adapters this worker has heard of, and how often each was asked for.

Torch-free, and no part of a step: an entry is one number in one dictionary that only lookups by id and
listings touch. Bounded; beyond the bound the entry that was least recently asked for is forgotten, which
loses its count and nothing else. Not thread-safe: its owner holds a lock.
"""

from __future__ import annotations

from collections import OrderedDict

MAX_ENTRIES = 65_536


class Catalog:
    """Requests by content id, the least recently asked for first."""

    def __init__(self, max_entries: int = MAX_ENTRIES) -> None:
        self._requests: OrderedDict[str, int] = OrderedDict()
        self._max = max_entries

    def __len__(self) -> int:
        return len(self._requests)

    def register(self, cid: str) -> None:
        """Enter an adapter without loading it; one that is known stays as it is."""
        self._requests.setdefault(cid, 0)
        if len(self._requests) > self._max:
            self._requests.popitem(last=False)

    def ask(self, cid: str) -> None:
        """Count one request."""
        self._requests[cid] = self._requests.pop(cid, 0) + 1
        if len(self._requests) > self._max:
            self._requests.popitem(last=False)

    def forget(self, cid: str) -> bool:
        """Remove an entry; False if there was none."""
        return self._requests.pop(cid, None) is not None

    def requests(self) -> dict[str, int]:
        """Requests of each adapter since it was entered, least recently asked for first."""
        return dict(self._requests)
