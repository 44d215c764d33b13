"""Brings an adapter to memory from the nearest tier that has it: host memory, disk, the node.

Waiting takes no thread: a request is a future, and any number of requests for one adapter share one load.
Disk and node have threads of their own, so that a slow node holds up no adapter that is already here. A
bundle whose bytes are refused is quarantined, for its id is its content; a load that fails is remembered for
a while; a load that nobody waits for any more is given up.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from concurrent.futures import Executor, Future
from dataclasses import dataclass, field
from functools import partial
from typing import Protocol

import structlog

from inference_worker.adapters.catalog import Catalog
from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.failures import FailureBook
from inference_worker.adapters.host import HostTier
from inference_worker.adapters.packed_file import PackedFileBad, in_own_memory, payload_bytes
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.refusals import AdapterRefused
from inference_worker.adapters.residency import ResidencyFull
from inference_worker.adapters.status import Tier, TierStatus
from inference_worker.adapters.usage import UsageBook
from inference_worker.blobs.abort import Abort, FetchAborted
from inference_worker.errors import WorkerError
from inference_worker.metrics import Metrics

log = structlog.get_logger()


class AdapterBroken(WorkerError):
    """Loading failed in a way that is a fault of ours."""

    code = "adapter_load_failed"

    def __init__(self, cid: str, reason: str) -> None:
        super().__init__(f"adapter {cid} could not be loaded: {reason}")
        self.cid, self.reason = cid, reason


@dataclass(frozen=True)
class LoaderLimits:
    """Seconds for which a failed load is remembered, and within which a fetch from the node must end."""

    failure_seconds: float = 5.0
    fetch_seconds: float = 120.0


class Source(Protocol):
    """Where an adapter comes from when no tier has it."""

    def load(self, cid: str, abort: Abort) -> PackedAdapter:
        """The adapter; raises AdapterRefused for its bytes, WorkerError for the way."""
        ...


@dataclass
class _Flight:
    """One load in progress and who waits for it."""

    cid: str
    abort: Abort = field(default_factory=Abort)
    waiters: list[Future[PackedAdapter]] = field(default_factory=list)
    fetching: bool = False


class AdapterLoader:
    """The tiers of one base's adapters. All methods may be called from any thread."""

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
    ) -> None:
        self.source, self.disk, self._metrics = source, disk, metrics
        self._limits = limits = limits or LoaderLimits()
        self._reading_pool, self._fetching_pool = reading, fetching
        self._lock = threading.Lock()
        self.host = HostTier(budget_bytes, metrics)
        self.catalog = Catalog()
        self.failures = FailureBook(limits.failure_seconds, clock)
        self.usage = UsageBook(time.time)
        self._flights: dict[str, _Flight] = {}

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
            flight = self._flights.get(cid) if packed is None else None
            starts = packed is None and flight is None
            if starts:
                flight = self._flights[cid] = _Flight(cid)
            if flight is not None:
                flight.waiters.append(waiter)
        self._count_lookup("host", packed is not None)
        if packed is not None:
            waiter.set_result(packed)
            return waiter
        assert flight is not None
        waiter.add_done_callback(partial(self._give_up_if_unwanted, flight))
        if starts:
            self._start(self._reading_pool, self._fly_from_disk, flight)
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
                loading=frozenset(self._flights),
                requests=self.catalog.requests(),
                refused=self.failures.refused(),
                failed=self.failures.failed(),
                uses=self.usage.uses(),
            )

    def close(self) -> None:
        """Give up every fetch, so that the threads can end."""
        with self._lock:
            flights = tuple(self._flights.values())
        for flight in flights:
            flight.abort.abort("the worker is stopping")

    def _start(self, pool: Executor, step: Callable[[_Flight], None], flight: _Flight) -> None:
        try:
            pool.submit(self._guarded, step, flight)
        except RuntimeError as error:
            self._end(flight, AdapterBroken(flight.cid, str(error)))

    def _guarded(self, step: Callable[[_Flight], None], flight: _Flight) -> None:
        try:
            step(flight)
        except AdapterRefused as refusal:
            with self._lock:
                self.failures.refuse(flight.cid, refusal)
            self._end(flight, refusal)
        except WorkerError as error:
            self._remember(flight, error)
            self._end(flight, error)
        except Exception as error:
            log.exception("adapter_load_failed", cid=flight.cid)
            broken = AdapterBroken(flight.cid, f"{type(error).__name__}: {error}")
            self._remember(flight, broken)
            self._end(flight, broken)

    def _remember(self, flight: _Flight, error: WorkerError) -> None:
        # Neither a full memory nor a client's change of mind says anything about the adapter.
        if not isinstance(error, ResidencyFull) and not flight.abort.aborted:
            with self._lock:
                self.failures.fail(flight.cid, error)

    def _fly_from_disk(self, flight: _Flight) -> None:
        cid, started = flight.cid, time.perf_counter()
        nbytes = self.disk.payload(cid)
        if nbytes is not None:
            with self._lock:
                self.host.reserve(cid, nbytes)
            packed = self._read_file(cid)
            if packed is not None:
                self._count_load("disk", started, packed)
                self._land(flight, packed)
                return
            with self._lock:
                self.host.abandon(cid)
        self._count_lookup("disk", False)
        self._start(self._fetching_pool, self._fly_from_node, flight)

    def _read_file(self, cid: str) -> PackedAdapter | None:
        try:
            return self.disk.read(cid)
        except PackedFileBad as error:
            log.warning("adapter_file_dropped", code=error.code, reason=str(error))
            self._metrics.count("adapter_files_dropped_total", reason=error.code)
            return None

    def _fly_from_node(self, flight: _Flight) -> None:
        started = time.perf_counter()
        with self._lock:
            flight.fetching = True
        self._give_up_if_unwanted(flight)
        flight.abort.check()
        flight.abort.limit(self._limits.fetch_seconds)
        packed = in_own_memory(self.source.load(flight.cid, flight.abort))
        self._count_load("node", started, packed)
        try:
            with self._lock:
                if self._flights.get(flight.cid) is not flight:
                    raise FetchAborted("nobody waits for it any more")
                self.host.reserve(flight.cid, payload_bytes(packed))
            self._land(flight, packed)
        finally:
            # After its requests have it, and also where memory is full: the next try need not fetch.
            self._write_file(packed)

    def _write_file(self, packed: PackedAdapter) -> None:
        try:
            self.disk.write(packed)
        except OSError as error:
            log.warning("adapter_not_written", cid=packed.cid, reason=str(error))
            self._metrics.count("adapter_files_dropped_total", reason="write_failed")

    def _land(self, flight: _Flight, packed: PackedAdapter) -> None:
        with self._lock:
            self.host.fill(packed)
            waiters = self._leave(flight)
            for _ in waiters:
                self.host.residency.lease(packed.cid)
            # The hold of the reservation ends; those of the requests have begun.
            self.host.residency.release(packed.cid)
        for waiter in waiters:
            waiter.set_result(packed)

    def _end(self, flight: _Flight, error: WorkerError) -> None:
        with self._lock:
            waiters = self._leave(flight)
        self._metrics.count("adapter_load_failures_total", code=error.code)
        for waiter in waiters:
            waiter.set_exception(error)

    def _leave(self, flight: _Flight) -> list[Future[PackedAdapter]]:
        if self._flights.get(flight.cid) is flight:
            del self._flights[flight.cid]
        # Emptied, for each waiter knows its flight: a cycle would keep the adapter long after its eviction.
        waiters, flight.waiters = flight.waiters, []
        return [waiter for waiter in waiters if waiter.set_running_or_notify_cancel()]

    def _give_up_if_unwanted(self, flight: _Flight, _: Future[PackedAdapter] | None = None) -> None:
        with self._lock:
            left = [waiter for waiter in flight.waiters if not waiter.cancelled()]
            unwanted = flight.fetching and bool(flight.waiters) and not left
            if unwanted and self._flights.get(flight.cid) is flight:
                # Whoever asks from now on starts anew.
                del self._flights[flight.cid]
        if unwanted:
            flight.abort.abort("nobody waits for it any more")

    def _count_lookup(self, tier: str, hit: bool) -> None:
        self._metrics.count("adapter_lookups_total", tier=tier, outcome="hit" if hit else "miss")

    def _count_load(self, tier: str, started: float, packed: PackedAdapter) -> None:
        if tier == "disk":
            self._count_lookup(tier, True)
        taken = time.perf_counter() - started
        self.usage.load(packed.cid, payload_bytes(packed), taken)
        self._metrics.count("adapter_load_microseconds_total", round(taken * 1e6), tier=tier)
