"""The loader: the nearest tier that has it, one load for many callers, patience for what is absent."""

import gc
import threading
import weakref
from concurrent.futures import CancelledError, Future, ThreadPoolExecutor

import pytest
import torch

from inference_worker.adapters import refusals
from inference_worker.adapters.failures import AdapterQuarantined
from inference_worker.adapters.flight import AdapterBroken
from inference_worker.adapters.residency import AdapterHeld, ResidencyFull
from inference_worker.blobs.abort import FetchAborted
from inference_worker.errors import BlobMissing
from inference_worker.metrics import Metrics
from tests.inference_worker.adapters.loading import Clock, make_loader
from tests.inference_worker.adapters.peft_folders import BlobShelf, adapter_files, manifest

WAIT_SECONDS = 60


@pytest.fixture
def shelf():
    return BlobShelf()


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def pools():
    """Threads for reading and fetching, as a worker has them."""
    with ThreadPoolExecutor(2) as reading, ThreadPoolExecutor(3) as fetching:
        yield reading, fetching


@pytest.fixture
def cids(shelf):
    """Four adapters of one size."""
    return [shelf.put_bundle(adapter_files(seed=seed)) for seed in range(4)]


@pytest.fixture
def size(shelf, cids, tmp_path):
    """Bytes of each of `cids` in memory."""
    nbytes = make_loader(shelf.fetch, tmp_path / "sizing").acquire(cids[0]).nbytes
    shelf.fetches.clear()
    return nbytes


class Gate:
    """A fetch that waits until the test opens it, or until it is given up."""

    def __init__(self, shelf, held=None):
        self.shelf, self.held = shelf, held
        self.open, self.reached = threading.Event(), threading.Event()

    def fetch(self, cid, max_bytes, abort):
        if self.held in (None, cid):
            self.reached.set()
            while not self.open.wait(0.01):
                abort.check()
        return self.shelf.fetch(cid, max_bytes)


def state_of(loader, cid):
    return {row.cid: row.state for row in loader.status().rows()}.get(cid)


def test_a_hundred_first_requests_make_one_fetch(shelf, cids, tmp_path, pools):
    """SPEC 4.10"""
    gate = Gate(shelf)
    loader = make_loader(gate.fetch, tmp_path, pools=pools)
    asked = [loader.request(cids[0]) for _ in range(100)]
    assert state_of(loader, cids[0]) == "loading"
    gate.open.set()
    found = {id(future.result(WAIT_SECONDS)) for future in asked}
    assert len(found) == 1 and shelf.fetches.count(cids[0]) == 1
    assert loader.host.residency.leases(cids[0]) == 100


def test_waiting_takes_no_thread(shelf, cids, tmp_path, pools):
    """SPEC 4.107: many waiters of adapters that do not come leave those that are here untouched."""
    gate = Gate(shelf, held=cids[0])
    loader = make_loader(gate.fetch, tmp_path, pools=pools)
    stuck = [loader.request(cids[0]) for _ in range(50)]
    assert gate.reached.wait(WAIT_SECONDS)
    for cid in cids[1:]:
        assert loader.request(cid).result(WAIT_SECONDS).cid == cid
    assert not any(future.done() for future in stuck)
    gate.open.set()
    assert {future.result(WAIT_SECONDS).cid for future in stuck} == {cids[0]}


def test_the_disk_is_asked_before_the_node_and_serves_the_next_process(shelf, cids, tmp_path):
    """SPEC 4.101"""
    first = make_loader(shelf.fetch, tmp_path).acquire(cids[0])
    fetched, metrics = len(shelf.fetches), Metrics()
    again = make_loader(shelf.fetch, tmp_path, metrics=metrics)
    assert torch.equal(again.acquire(cids[0]).blob, first.blob)
    assert len(shelf.fetches) == fetched
    assert metrics.value("adapter_lookups_total", tier="disk", outcome="hit") == 1
    assert metrics.value("adapter_lookups_total", tier="host", outcome="miss") == 1
    again.acquire(cids[0])
    assert metrics.value("adapter_lookups_total", tier="host", outcome="hit") == 1


@pytest.mark.parametrize("fresh", [False, True], ids=["same process", "next process"])
def test_a_file_that_was_damaged_is_dropped_and_fetched_again(shelf, cids, tmp_path, fresh):
    """SPEC 4.102"""
    metrics = Metrics()
    loader = make_loader(shelf.fetch, tmp_path, metrics=metrics)
    blob = loader.acquire(cids[0]).blob
    loader.release(cids[0])
    (path,) = (tmp_path / "adapters").iterdir()
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    loader.evict(cids[0], "host")
    loader = make_loader(shelf.fetch, tmp_path, metrics=metrics) if fresh else loader
    assert torch.equal(loader.acquire(cids[0]).blob, blob)
    assert shelf.fetches.count(cids[0]) == 2
    assert metrics.value("adapter_files_dropped_total", reason="packed_file_bad") == 1
    assert loader.host.residency.used == loader.host.residency.accounts()[cids[0]].nbytes
    assert torch.equal(loader.disk.read(cids[0]).blob, blob)


def test_a_disk_that_refuses_costs_no_request(shelf, cids, tmp_path, monkeypatch):
    """SPEC 4.103"""
    metrics = Metrics()
    loader = make_loader(shelf.fetch, tmp_path, metrics=metrics)
    monkeypatch.setattr("os.fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "no space left")))
    assert loader.acquire(cids[0]).cid == cids[0]
    assert metrics.value("adapter_files_dropped_total", reason="write_failed") == 1


def test_a_file_that_can_be_neither_read_nor_removed_costs_no_request(shelf, cids, tmp_path):
    """SPEC 4.9, 4.103: and leaves no bytes reserved."""
    loader = make_loader(shelf.fetch, tmp_path)
    blob = loader.acquire(cids[0]).blob
    loader.release(cids[0])
    loader.evict(cids[0], "host")
    (path,) = (tmp_path / "adapters").iterdir()
    path.unlink()
    path.mkdir()
    assert torch.equal(loader.acquire(cids[0]).blob, blob)
    loader.release(cids[0])
    assert loader.evict(cids[0], "host") and loader.host.residency.used == 0


def test_eviction_keeps_the_budget_and_reload_gives_the_same_blob(shelf, cids, size, tmp_path):
    """SPEC 4.16"""
    loader = make_loader(shelf.fetch, tmp_path, budget=2 * size)
    original = loader.acquire(cids[0]).blob.clone()
    loader.release(cids[0])
    for cid in cids[1:]:
        loader.acquire(cid)
        residency = loader.host.residency
        assert residency.used + residency.free == 2 * size >= residency.used
        loader.release(cid)
    assert state_of(loader, cids[0]) == "cached"
    assert torch.equal(loader.acquire(cids[0]).blob, original)
    assert shelf.fetches.count(cids[0]) == 1


def test_a_full_memory_is_no_fault_of_the_adapter(shelf, cids, size, tmp_path):
    """SPEC 4.9, 4.11: the one that found no room loads as soon as there is some, from disk."""
    loader = make_loader(shelf.fetch, tmp_path, budget=size)
    loader.acquire(cids[0])
    with pytest.raises(ResidencyFull):
        loader.acquire(cids[1])
    loader.release(cids[0])
    assert loader.acquire(cids[1]).cid == cids[1]
    assert shelf.fetches.count(cids[1]) == 1


def test_pinned_adapter_stays(shelf, cids, size, tmp_path):
    """SPEC 4.9"""
    loader = make_loader(shelf.fetch, tmp_path, budget=size)
    loader.acquire(cids[0])
    loader.pin(cids[0])
    loader.release(cids[0])
    with pytest.raises(ResidencyFull):
        loader.acquire(cids[1])
    with pytest.raises(AdapterHeld):
        loader.evict(cids[0], "host")
    loader.unpin(cids[0])
    assert loader.acquire(cids[1]).cid == cids[1]


def test_eviction_by_hand_takes_one_tier(shelf, cids, tmp_path):
    """SPEC 4.110"""
    loader = make_loader(shelf.fetch, tmp_path)
    loader.acquire(cids[0])
    with pytest.raises(AdapterHeld):
        loader.evict(cids[0], "host")
    loader.release(cids[0])
    assert loader.evict(cids[0], "host") and state_of(loader, cids[0]) == "cached"
    assert not loader.evict(cids[0], "host")
    assert loader.evict(cids[0], "disk") and state_of(loader, cids[0]) == "registered"
    assert not loader.evict(cids[0], "disk")


def test_refused_bytes_are_quarantined_for_good(shelf, clock, tmp_path):
    """SPEC 4.11"""
    cid = shelf.put_bundle({**adapter_files(), "manifest.json": manifest("0x00")})
    loader = make_loader(shelf.fetch, tmp_path, clock=clock)
    with pytest.raises(refusals.WrongBase):
        loader.acquire(cid)
    fetched = len(shelf.fetches)
    clock.now = 1e9
    with pytest.raises(AdapterQuarantined) as again:
        loader.acquire(cid)
    assert again.value.code == refusals.WrongBase.code
    assert len(shelf.fetches) == fetched and state_of(loader, cid) == "quarantined"
    assert not loader.disk.sizes() and loader.host.residency.used == 0
    assert loader.clear(cid)
    with pytest.raises(refusals.WrongBase):
        loader.acquire(cid)


def test_an_adapter_quarantined_under_lease_keeps_its_bytes_until_the_lease_ends(shelf, cids, size, tmp_path):
    """SPEC 4.106"""
    loader = make_loader(shelf.fetch, tmp_path, budget=size)
    loader.acquire(cids[0])
    loader.quarantine(cids[0], refusals.BrokeWhileServing(cids[0]))
    with pytest.raises(ResidencyFull):
        loader.acquire(cids[1])
    loader.release(cids[0])
    assert loader.acquire(cids[1]).cid == cids[1]
    loader.release(cids[1])
    loader.clear(cids[0])
    assert loader.acquire(cids[0]).cid == cids[0]


@pytest.mark.parametrize("cleared", [False, True])
def test_an_adapter_quarantined_while_it_is_read_is_not_served(shelf, cids, tmp_path, monkeypatch, cleared):
    """SPEC 4.106, 4.107: its request is told, and its bytes are free again."""
    loader = make_loader(shelf.fetch, tmp_path)
    loader.release(loader.acquire(cids[0]).cid)
    loader.evict(cids[0], "host")
    read = loader.disk.read

    def broken_meanwhile(cid):
        loader.quarantine(cid, refusals.BrokeWhileServing(cid))
        if cleared:
            loader.clear(cid)
        return read(cid)

    monkeypatch.setattr(loader.disk, "read", broken_meanwhile)
    with pytest.raises(AdapterBroken if cleared else AdapterQuarantined):
        loader.acquire(cids[0])
    assert loader.host.residency.used == 0 and len(loader.host) == 0
    monkeypatch.undo()
    loader.clear(cids[0])
    assert loader.acquire(cids[0]).cid == cids[0] and loader.host.residency.leases(cids[0]) == 1


def test_absent_blob_is_asked_for_again_after_a_while(shelf, clock, tmp_path):
    """SPEC 4.11"""
    named = adapter_files()
    cid = BlobShelf().put_bundle(named)
    loader = make_loader(shelf.fetch, tmp_path, clock=clock)
    for _ in range(3):
        with pytest.raises(BlobMissing):
            loader.acquire(cid)
    assert len(shelf.fetches) == 1 and state_of(loader, cid) == "failed"
    assert shelf.put_bundle(named) == cid
    clock.now = 5.0
    assert loader.acquire(cid).cid == cid


def test_a_load_that_nobody_waits_for_is_given_up_and_held_against_nobody(shelf, cids, tmp_path, pools):
    """SPEC 4.107"""
    gate = Gate(shelf)
    loader = make_loader(gate.fetch, tmp_path, pools=pools)
    first, second = loader.request(cids[0]), loader.request(cids[0])
    assert gate.reached.wait(WAIT_SECONDS)
    assert first.cancel()
    assert state_of(loader, cids[0]) == "loading"
    assert second.cancel()
    assert state_of(loader, cids[0]) == "registered"
    gate.open.set()
    assert loader.request(cids[0]).result(WAIT_SECONDS).cid == cids[0]
    with pytest.raises(CancelledError):
        first.result()
    assert loader.host.residency.leases(cids[0]) == 1


def test_a_waiter_that_leaves_takes_no_lease_and_harms_no_other(shelf, cids, tmp_path, pools):
    """SPEC 4.107"""
    gate = Gate(shelf)
    loader = make_loader(gate.fetch, tmp_path, pools=pools)
    leaving, staying = loader.request(cids[0]), loader.request(cids[0])
    assert leaving.cancel()
    gate.open.set()
    assert staying.result(WAIT_SECONDS).cid == cids[0] and shelf.fetches.count(cids[0]) == 1
    assert loader.host.residency.leases(cids[0]) == 1


def test_closing_wakes_whoever_waits(shelf, cids, tmp_path, pools):
    """SPEC 4.107"""
    gate = Gate(shelf)
    loader = make_loader(gate.fetch, tmp_path, pools=pools)
    asked = loader.request(cids[0])
    assert gate.reached.wait(WAIT_SECONDS)
    loader.close()
    with pytest.raises(FetchAborted, match="stopping"):
        asked.result(WAIT_SECONDS)


def test_threads_that_are_gone_fail_the_request(shelf, cids, tmp_path):
    """SPEC 4.107"""
    gone = ThreadPoolExecutor(1)
    gone.shutdown()
    loader = make_loader(shelf.fetch, tmp_path, pools=(gone, gone))
    with pytest.raises(AdapterBroken):
        loader.acquire(cids[0])
    assert not loader.status().loading


def test_a_fault_of_ours_fails_the_request_and_frees_the_place(shelf, cids, clock, tmp_path):
    """SPEC 4.107"""

    def broken(*asked):
        raise ZeroDivisionError("ours")

    loader = make_loader(broken, tmp_path, clock=clock)
    with pytest.raises(AdapterBroken, match="ZeroDivisionError"):
        loader.acquire(cids[0])
    assert loader.host.residency.used == 0 and not loader.status().loading


def test_registering_loads_nothing(shelf, cids, tmp_path):
    """SPEC 4.108"""
    loader = make_loader(shelf.fetch, tmp_path)
    loader.register(cids[0])
    assert state_of(loader, cids[0]) == "registered" and not shelf.fetches


def test_request_of_a_resident_adapter_is_done_at_once(shelf, cids, tmp_path):
    """SPEC 4.107"""
    loader = make_loader(shelf.fetch, tmp_path)
    loader.acquire(cids[0])
    found = loader.request(cids[0])
    assert isinstance(found, Future) and found.done() and found.result().cid == cids[0]


@pytest.mark.parametrize("from_disk", [False, True])
def test_an_evicted_adapter_is_freed_at_once(shelf, cids, tmp_path, from_disk):
    """SPEC 4.106: not only when the garbage collector finds it."""
    loader = make_loader(shelf.fetch, tmp_path)
    if from_disk:
        make_loader(shelf.fetch, tmp_path).acquire(cids[0])
        loader = make_loader(shelf.fetch, tmp_path)
    gc.disable()
    try:
        freed = weakref.ref(loader.acquire(cids[0]))
        loader.release(cids[0])
        assert freed() is not None
        loader.evict(cids[0], "host")
        assert freed() is None
    finally:
        gc.enable()
