"""The adapters of one base, brought to memory from the nearest tier that has them: host memory, disk, node.

Waiting takes no thread: a request is a future, and any number of requests for one adapter share one load.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass
from functools import partial

from inference_worker.adapters.catalog import Catalog
from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.failures import FailureBook
from inference_worker.adapters.fetch_room import FetchRoom
from inference_worker.adapters.flight import Source, Tiers
from inference_worker.adapters.flights import Flights
from inference_worker.adapters.host import HostTier
from inference_worker.adapters.load_counts import LoadCounts
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.refusals import AdapterRefused
from inference_worker.adapters.status import Tier, TierStatus
from inference_worker.adapters.usage import UsageBook
from inference_worker.metrics import Metrics


@dataclass(frozen=True)
class LoaderLimits:
    """Seconds for which a failed load is remembered, and within which a fetch from the node must end."""

    failure_seconds: float = 5.0
    fetch_seconds: float = 120.0


class AdapterLoader:
    """The tiers of one base's adapters. All methods may be called from any thread.

    `room` is the account of the bytes on their way from the node, which the source keeps.
    """

    def __init__(
        self,
        source: Source,
        disk: DiskTier,
        budget_bytes: int,
        reading: Executor,
        fetching: Executor,
        metrics: Metrics,
        clock: Callable[[], float] = time.monotonic,
        limits: LoaderLimits | None = None,
        room: FetchRoom | None = None,
    ) -> None:
        limits = limits or LoaderLimits()
        self.disk, self.host = disk, HostTier(budget_bytes, metrics)
        self.catalog, self.room = Catalog(), room or FetchRoom()
        self.failures = FailureBook(limits.failure_seconds, clock)
        self.usage, self._lock = UsageBook(time.time), threading.Lock()
        self._counts = LoadCounts(metrics, self.usage)
        tiers = Tiers(self._lock, self.host, disk, self.failures)
        self._flights = Flights(tiers, source, reading, fetching, self._counts, limits.fetch_seconds)

    def request(self, cid: str) -> Future[PackedAdapter]:
        """The adapter, leased to the caller, who must `release` it; at once if it is in memory.

        A caller that no longer wants it cancels the future; if that fails, the lease is or will be its own.
        Raises what is known to be wrong with it; the future fails with WorkerError subclasses.
        """
        waiter: Future[PackedAdapter] = Future()
        with self._lock:
            self.catalog.ask(cid)
            self.failures.check(cid)
            packed = self.host.lease(cid)
            joined = self._flights.join(cid, waiter) if packed is None else None
        self._counts.lookup("host", joined is None)
        if joined is None:
            assert packed is not None
            waiter.set_result(packed)
            return waiter
        flight, is_new = joined
        waiter.add_done_callback(partial(self._flights.give_up_if_unwanted, flight))
        if is_new:
            self._flights.start(flight)
        return waiter

    def acquire(self, cid: str) -> PackedAdapter:
        """The same, waiting for it."""
        return self.request(cid).result()

    def release(self, cid: str) -> None:
        """Give one lease back."""
        with self._lock:
            self.host.residency.release(cid)

    def pin(self, cid: str) -> None:
        """Keep an adapter, which the caller has under lease, until `unpin`."""
        with self._lock:
            if cid in self.host:
                self.host.residency.pin(cid)

    def unpin(self, cid: str) -> None:
        """Let an adapter be evicted again; one that is not in memory is ignored."""
        with self._lock:
            if cid in self.host:
                self.host.residency.pin(cid, pinned=False)

    def evict(self, cid: str, tier: Tier) -> bool:
        """Remove an adapter from one tier; False if it was not there. Raises AdapterHeld."""
        if tier == "disk":
            return self.disk.drop(cid)
        with self._lock:
            return self.host.evict(cid)

    def register(self, cid: str) -> None:
        """Know of an adapter; it costs one entry until somebody asks for it."""
        with self._lock:
            self.catalog.register(cid)

    def quarantine(self, cid: str, refusal: AdapterRefused) -> None:
        """Never serve this content again; requests that hold it end on their own."""
        with self._lock:
            self.failures.refuse(cid, refusal)
            self.host.drop(cid)

    def clear(self, cid: str) -> bool:
        """Forget that an adapter was refused or failed to load; False if neither was so."""
        with self._lock:
            return self.failures.clear(cid)

    def status(self) -> TierStatus:
        """Everything known of every tier and adapter, at one moment."""
        on_disk = self.disk.sizes()
        with self._lock:
            return TierStatus(
                host=self.host.residency.accounts(),
                host_budget=self.host.residency.budget,
                host_used=self.host.residency.used,
                disk=on_disk,
                disk_quota=self.disk.quota,
                disk_used=self.disk.used,
                loading=self._flights.cids(),
                requests=self.catalog.requests(),
                refused=self.failures.refused(),
                failed=self.failures.failed(),
                uses=self.usage.uses(),
                fetch_budget=self.room.total,
                fetch_used=self.room.held,
            )

    def close(self) -> None:
        """Give up every fetch, so that the threads can end."""
        self._flights.close()
