"""From a bundle's content id to a packed adapter under lease; blocking, thread-safe, one load per id at a
time.

A bundle whose bytes are refused is quarantined for ever, for its id is its content. A fetch that fails is
remembered only for a while, so that a blob that arrives late can still be served.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from concurrent.futures import Future
from dataclasses import dataclass

from inference_worker.adapters.base_rows import BaseRows
from inference_worker.adapters.ingest import Caps, check_names, ingest
from inference_worker.adapters.packing import PackedAdapter, pack
from inference_worker.adapters.quantised import PoolDtype, for_pool
from inference_worker.adapters.refusals import AdapterRefused, BundleMalformed, OverCap
from inference_worker.adapters.residency import Residency
from inference_worker.adapters.shape import BaseShape
from inference_worker.errors import WorkerError
from protocol.canonical import parse_json
from protocol.cid import parse_cid
from protocol.errors import ProtocolError

_MAX_FILES = 16
_MAX_QUARANTINED = 4096
# Content id and the most bytes to take; raises a WorkerError for what is absent or longer.
Fetch = Callable[[str, int], bytes]


@dataclass(frozen=True)
class BundleFile:
    """One line of a bundle's listing."""

    name: str
    cid: str
    size: int


@dataclass(frozen=True)
class AdapterState:
    """What the worker knows of one adapter: `resident`, `pinned` or `quarantined`, and the reason for the
    last."""

    cid: str
    state: str
    reason: str = ""


class AdapterQuarantined(WorkerError):
    """This content was refused before; `code` is that of the first refusal."""

    def __init__(self, cid: str, code: str, reason: str) -> None:
        super().__init__(f"adapter {cid} is quarantined: {reason}")
        self.cid, self.code, self.reason = cid, code, reason


class AdapterLoader:
    """Loads adapters on demand and keeps them resident under a byte budget."""

    def __init__(
        self,
        fetch: Fetch,
        shape: BaseShape,
        fingerprint: str,
        budget_bytes: int,
        clock: Callable[[], float],
        caps: Caps | None = None,
        failure_ttl_seconds: float = 5.0,
        base: BaseRows | None = None,
        pool: PoolDtype = "float32",
    ) -> None:
        self._fetch, self._shape, self._fingerprint = fetch, shape, fingerprint
        self._base, self._pool = base, pool
        self._caps, self._clock, self._ttl = caps or Caps(), clock, failure_ttl_seconds
        self._lock = threading.Lock()
        self._residency = Residency(budget_bytes)
        self._packed: dict[str, PackedAdapter] = {}
        self._loading: dict[str, Future[None]] = {}
        self._quarantine: dict[str, tuple[str, str]] = {}
        self._failures: dict[str, tuple[float, WorkerError]] = {}

    def acquire(self, cid: str) -> PackedAdapter:
        """The adapter, leased to the caller, who must `release` it. Raises WorkerError subclasses."""
        while True:
            with self._lock:
                self._raise_known_failure(cid)
                if cid in self._residency:
                    self._residency.lease(cid)
                    return self._packed[cid]
                loading = self._loading.get(cid)
                if loading is None:
                    mine = self._loading[cid] = Future()
            if loading is None:
                return self._load_leased(cid, mine)
            loading.result()

    def release(self, cid: str) -> None:
        """Give one lease back."""
        with self._lock:
            self._residency.release(cid)

    def pin(self, cid: str) -> None:
        """Load an adapter and keep it until `unpin`."""
        self.acquire(cid)
        with self._lock:
            self._residency.pin(cid)
            self._residency.release(cid)

    def unpin(self, cid: str) -> None:
        """Let an adapter be evicted again; one that is not resident is ignored."""
        with self._lock:
            if cid in self._residency:
                self._residency.pin(cid, pinned=False)

    def quarantine(self, cid: str, refusal: AdapterRefused) -> None:
        """Never serve this content again; requests that hold it end on their own."""
        with self._lock:
            self._enter_quarantine(cid, refusal)

    def states(self) -> tuple[AdapterState, ...]:
        """Resident adapters, least recently used first, then the quarantined ones."""
        with self._lock:
            resident = [AdapterState(cid, "resident") for cid in self._residency.order()]
            refused = [AdapterState(cid, "quarantined", why) for cid, (_, why) in self._quarantine.items()]
        return (*resident, *refused)

    @property
    def used_bytes(self) -> int:
        """Bytes of packed adapters in memory."""
        with self._lock:
            return self._residency.used

    def _raise_known_failure(self, cid: str) -> None:
        if cid in self._quarantine:
            raise AdapterQuarantined(cid, *self._quarantine[cid])
        if cid in self._failures:
            expires, error = self._failures[cid]
            if self._clock() < expires:
                raise error
            del self._failures[cid]

    def _load_leased(self, cid: str, done: Future[None]) -> PackedAdapter:
        try:
            packed = self._read(cid)
            with self._lock:
                for victim in self._residency.admit(cid, packed.nbytes):
                    del self._packed[victim]
                self._packed[cid] = packed
                self._residency.lease(cid)
            return packed
        except AdapterRefused as refusal:
            with self._lock:
                self._enter_quarantine(cid, refusal)
            raise
        except WorkerError as error:
            with self._lock:
                self._failures[cid] = (self._clock() + self._ttl, error)
            raise
        finally:
            # Waiters look again: at the adapter, at its failure, or at a free place to load it themselves.
            with self._lock:
                del self._loading[cid]
            done.set_result(None)

    def _enter_quarantine(self, cid: str, refusal: AdapterRefused) -> None:
        if len(self._quarantine) >= _MAX_QUARANTINED:
            del self._quarantine[next(iter(self._quarantine))]
        self._quarantine[cid] = (refusal.code, str(refusal))
        self._residency.drop(cid)
        self._packed.pop(cid, None)

    def _read(self, cid: str) -> PackedAdapter:
        listing = parse_listing(self._fetch(cid, self._caps.text_bytes), self._caps)
        files = {}
        for file in listing:
            data = self._fetch(file.cid, file.size)
            if len(data) != file.size:
                raise BundleMalformed(f"{file.name} has {len(data)} bytes, listed {file.size}")
            files[file.name] = data
        checked = ingest(files, self._shape, self._fingerprint, self._caps, self._base)
        return for_pool(pack(cid, checked, self._shape), self._shape, self._pool)


def parse_listing(raw: bytes, caps: Caps) -> tuple[BundleFile, ...]:
    """Read `{"files":[{"name","cid","size"}]}`; refuses before anything listed is fetched."""
    try:
        data = parse_json(raw, caps.text_bytes, 8)
    except ProtocolError as error:
        raise BundleMalformed(str(error)) from error
    if not isinstance(data, dict) or set(data) != {"files"} or not isinstance(data["files"], list):
        raise BundleMalformed("is not an object with the one key `files`")
    if len(data["files"]) > _MAX_FILES:
        raise OverCap("files", len(data["files"]), _MAX_FILES)
    listing = tuple(_parse_file(entry) for entry in data["files"])
    if len({file.name for file in listing}) != len(listing):
        raise BundleMalformed("names a file twice")
    check_names(file.name for file in listing)
    total = sum(file.size for file in listing)
    if total > caps.total_bytes:
        raise OverCap("bundle bytes", total, caps.total_bytes)
    return listing


def _parse_file(entry: object) -> BundleFile:
    if not isinstance(entry, dict) or set(entry) != {"name", "cid", "size"}:
        raise BundleMalformed("an entry has other keys than name, cid, size")
    name, cid, size = entry["name"], entry["cid"], entry["size"]
    if not isinstance(name, str) or not isinstance(cid, str) or type(size) is not int or size < 0:
        raise BundleMalformed("an entry has a value of the wrong type")
    try:
        parse_cid(cid)
    except ProtocolError as error:
        raise BundleMalformed(f"{name}: {error}") from error
    return BundleFile(name, cid, size)
