"""The host tier: packed adapters in memory under a byte budget.

Room is reserved before an adapter is read, so that loads in progress are in the account too. Not
thread-safe: its owner holds a lock. The tier below this one, the lanes of a running batch, belongs to the
engine.
"""

from __future__ import annotations

from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.residency import Residency
from inference_worker.metrics import Metrics


class HostTier:
    """Residency with the adapters themselves."""

    def __init__(self, budget_bytes: int, metrics: Metrics) -> None:
        self.residency, self._metrics = Residency(budget_bytes), metrics
        self._packed: dict[str, PackedAdapter] = {}

    def __contains__(self, cid: str) -> bool:
        return cid in self._packed

    def __len__(self) -> int:
        return len(self._packed)

    def lease(self, cid: str) -> PackedAdapter | None:
        """The adapter, held for one request; None if it is not here."""
        packed = self._packed.get(cid)
        if packed is not None:
            self.residency.lease(cid)
        return packed

    def reserve(self, cid: str, nbytes: int) -> None:
        """Take the bytes of an adapter that is about to be here, and hold them; raises ResidencyFull."""
        victims = self.residency.admit(cid, nbytes)
        for victim in victims:
            del self._packed[victim]
        self.residency.lease(cid)
        self._metrics.count("adapter_evictions_total", len(victims), tier="host")

    def fill(self, packed: PackedAdapter) -> None:
        """Put an adapter where its bytes are reserved; the hold goes on."""
        self._packed[packed.cid] = packed

    def abandon(self, cid: str) -> None:
        """Give reserved bytes back: the adapter does not come."""
        self.drop(cid)
        self.residency.release(cid)

    def evict(self, cid: str) -> bool:
        """Remove an adapter that nothing holds; False if it is not here. Raises AdapterHeld."""
        evicted = self.residency.evict(cid)
        self._packed.pop(cid, None)
        if evicted:
            self._metrics.count("adapter_evictions_total", tier="host")
        return evicted

    def drop(self, cid: str) -> None:
        """Serve an adapter to nobody any more; requests that hold it end on their own."""
        self.residency.drop(cid)
        self._packed.pop(cid, None)
