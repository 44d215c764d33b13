"""Loads in progress: at most one for each adapter, from disk if it is there, else from the node.

Disk and node have threads of their own, so that a slow node holds up no adapter that is already here. A
bundle whose bytes are refused is quarantined, for its id is its content; a load that fails is remembered for
a while; a load that nobody waits for any more is given up.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import Executor, Future

import structlog

from inference_worker import heap
from inference_worker.adapters.flight import AdapterBroken, Flight, Source, Tiers
from inference_worker.adapters.load_counts import LoadCounts, Stopwatch
from inference_worker.adapters.packed_file import PackedFileBad, payload_bytes
from inference_worker.adapters.packer import Loaded
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.refusals import AdapterRefused
from inference_worker.adapters.residency import ResidencyFull
from inference_worker.blobs.abort import FetchAborted
from inference_worker.errors import WorkerError

log = structlog.get_logger()


class Flights:
    """The loads of one worker. `join` needs the lock of the tiers, all else takes it."""

    def __init__(
        self,
        tiers: Tiers,
        source: Source,
        reading: Executor,
        fetching: Executor,
        counts: LoadCounts,
        fetch_seconds: float,
    ) -> None:
        self._tiers, self._lock, self._source, self._counts = tiers, tiers.lock, source, counts
        self._reading_pool, self._fetching_pool = reading, fetching
        self._fetch_seconds = fetch_seconds
        self._flights: dict[str, Flight] = {}

    def cids(self) -> frozenset[str]:
        """What is loading; under the lock."""
        return frozenset(self._flights)

    def join(self, cid: str, waiter: Future[PackedAdapter]) -> tuple[Flight, bool]:
        """Wait for the adapter's load; True if it is a new one, which its caller must `start`."""
        flight = self._flights.get(cid)
        is_new = flight is None
        if flight is None:
            flight = self._flights[cid] = Flight(cid)
        flight.waiters.append(waiter)
        return flight, is_new

    def start(self, flight: Flight) -> None:
        """Begin the load of a new flight."""
        self._submit(self._reading_pool, self._fly_from_disk, flight)

    def give_up_if_unwanted(self, flight: Flight, _: Future[PackedAdapter] | None = None) -> None:
        """End the fetch of a flight whose waiters have all left."""
        with self._lock:
            left = [waiter for waiter in flight.waiters if not waiter.cancelled()]
            unwanted = flight.fetching and bool(flight.waiters) and not left
            if unwanted and self._flights.get(flight.cid) is flight:
                # Whoever asks from now on starts anew.
                del self._flights[flight.cid]
        if unwanted:
            flight.abort.abort("nobody waits for it any more")

    def close(self) -> None:
        """Give up every fetch, so that the threads can end."""
        with self._lock:
            flights = tuple(self._flights.values())
        for flight in flights:
            flight.abort.abort("the worker is stopping")

    def _submit(self, pool: Executor, step: Callable[[Flight], None], flight: Flight) -> None:
        try:
            pool.submit(self._guarded, step, flight)
        except RuntimeError as error:
            self._end(flight, AdapterBroken(flight.cid, str(error)))

    def _guarded(self, step: Callable[[Flight], None], flight: Flight) -> None:
        try:
            step(flight)
        except AdapterRefused as refusal:
            with self._lock:
                self._tiers.failures.refuse(flight.cid, refusal)
            self._end(flight, refusal)
        except WorkerError as error:
            self._remember(flight, error)
            self._end(flight, error)
        except Exception as error:
            log.exception("adapter_load_failed", cid=flight.cid)
            broken = AdapterBroken(flight.cid, f"{type(error).__name__}: {error}")
            self._remember(flight, broken)
            self._end(flight, broken)

    def _remember(self, flight: Flight, error: WorkerError) -> None:
        # Neither a full memory nor a client's change of mind says anything about the adapter.
        if not isinstance(error, ResidencyFull) and not flight.abort.aborted:
            with self._lock:
                self._tiers.failures.fail(flight.cid, error)

    def _fly_from_disk(self, flight: Flight) -> None:
        cid, watch, host = flight.cid, Stopwatch(), self._tiers.host
        nbytes = self._tiers.disk.payload(cid)
        if nbytes is not None:
            with self._lock:
                host.reserve(cid, nbytes)
            packed = None
            try:
                packed = self._read_file(cid)
            finally:
                if packed is None:
                    with self._lock:
                        host.abandon(cid)
            if packed is not None:
                self._counts.load("disk", packed, *watch.seconds())
                self._land(flight, packed)
                return
        self._counts.lookup("disk", False)
        self._submit(self._fetching_pool, self._fly_from_node, flight)

    def _read_file(self, cid: str) -> PackedAdapter | None:
        try:
            return self._tiers.disk.read(cid)
        except PackedFileBad as error:
            log.warning("adapter_file_dropped", code=error.code, reason=str(error))
            self._counts.dropped_file(error.code)
        except OSError as error:
            # A disk that can be written no more keeps also what should go.
            log.warning("adapter_file_left", cid=cid, reason=str(error))
            self._counts.dropped_file("remove_failed")
        return None

    def _fly_from_node(self, flight: Flight) -> None:
        watch = Stopwatch()
        with self._lock:
            flight.fetching = True
        self.give_up_if_unwanted(flight)
        flight.abort.check()
        flight.abort.limit(self._fetch_seconds)
        loaded = self._source.load(flight.cid, flight.abort)
        packed = loaded.packed
        # Fetching it left holes of an adapter's size in the heap that small objects would keep open.
        heap.trim()
        taken, worked = watch.seconds()
        self._counts.load("node", packed, taken, worked + loaded.apart_seconds)
        try:
            with self._lock:
                if self._flights.get(flight.cid) is not flight:
                    raise FetchAborted("nobody waits for it any more")
                self._tiers.host.reserve(flight.cid, payload_bytes(packed))
            self._land(flight, packed)
        finally:
            # After its requests have it, and also where memory is full: the next try need not fetch.
            self._keep_file(loaded)

    def _keep_file(self, loaded: Loaded) -> None:
        try:
            if loaded.file is None:
                self._tiers.disk.write(loaded.packed)
            else:
                self._tiers.disk.adopt(loaded.packed, loaded.file)
        except OSError as error:
            log.warning("adapter_not_written", cid=loaded.packed.cid, reason=str(error))
            self._counts.dropped_file("write_failed")

    def _land(self, flight: Flight, packed: PackedAdapter) -> None:
        with self._lock:
            if packed.cid not in self._tiers.host.residency:
                # Quarantined by a request that held it before: the reservation is all that is left.
                self._tiers.host.residency.release(packed.cid)
                self._tiers.failures.check(packed.cid)
                raise AdapterBroken(packed.cid, "it was dropped while it was loaded")
            self._tiers.host.fill(packed)
            waiters = self._leave(flight)
            for _ in waiters:
                self._tiers.host.residency.lease(packed.cid)
            # The hold of the reservation ends; those of the requests have begun.
            self._tiers.host.residency.release(packed.cid)
        for waiter in waiters:
            waiter.set_result(packed)

    def _end(self, flight: Flight, error: WorkerError) -> None:
        with self._lock:
            waiters = self._leave(flight)
        self._counts.failure(error.code)
        for waiter in waiters:
            waiter.set_exception(error)

    def _leave(self, flight: Flight) -> list[Future[PackedAdapter]]:
        if self._flights.get(flight.cid) is flight:
            del self._flights[flight.cid]
        # Emptied, for each waiter knows its flight: a cycle would keep the adapter long after its eviction.
        waiters, flight.waiters = flight.waiters, []
        return [waiter for waiter in waiters if waiter.set_running_or_notify_cancel()]
