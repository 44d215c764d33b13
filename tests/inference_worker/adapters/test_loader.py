"""The loader: one fetch for many callers, quarantine for bad bytes, patience for absent ones."""

import json
import threading

import pytest
import torch

from inference_worker.adapters import refusals
from inference_worker.adapters.ingest import Caps
from inference_worker.adapters.loader import AdapterLoader, AdapterQuarantined, parse_listing
from inference_worker.adapters.residency import ResidencyFull
from inference_worker.blobs.node_blobs import cid_of
from inference_worker.errors import BlobMissing, NodeUnreachable
from protocol.canonical import canonical_json
from tests.inference_worker.adapters.peft_folders import (
    FINGERPRINT,
    BlobShelf,
    adapter_files,
    manifest,
    shape,
)

CID = cid_of(b"x")


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def shelf():
    return BlobShelf()


@pytest.fixture
def clock():
    return Clock()


def loader_for(shelf, clock=None, budget=10**9, fetch=None):
    return AdapterLoader(fetch or shelf.fetch, shape(), FINGERPRINT, budget, clock or Clock())


def test_identity_is_content(shelf):
    """SPEC 4.1"""
    first, second = shelf.put_bundle(adapter_files(seed=1)), shelf.put_bundle(adapter_files(seed=2))
    assert first != second == shelf.put_bundle(adapter_files(seed=2))
    loader = loader_for(shelf)
    assert not torch.equal(loader.acquire(first).blob, loader.acquire(second).blob)


def test_many_first_requests_make_one_load(shelf):
    """SPEC 4.10"""
    cid = shelf.put_bundle(adapter_files())
    gate, loader_box = threading.Event(), []

    def slow(asked, max_bytes):
        gate.wait(10)
        return shelf.fetch(asked, max_bytes)

    loader = loader_for(shelf, fetch=slow)
    threads = [threading.Thread(target=lambda: loader_box.append(loader.acquire(cid))) for _ in range(20)]
    for thread in threads:
        thread.start()
    gate.set()
    for thread in threads:
        thread.join()
    assert shelf.fetches.count(cid) == 1
    assert len({id(adapter) for adapter in loader_box}) == 1 and len(loader_box) == 20


def test_eviction_keeps_the_budget_and_reload_gives_the_same_blob(shelf):
    """SPEC 4.16"""
    cids = [shelf.put_bundle(adapter_files(seed=s)) for s in range(4)]
    size = loader_for(shelf).acquire(cids[0]).nbytes
    loader = loader_for(shelf, budget=2 * size)
    original = loader.acquire(cids[0]).blob.clone()
    loader.release(cids[0])
    for cid in cids[1:]:
        loader.acquire(cid)
        assert loader.used_bytes <= 2 * size
        loader.release(cid)
    assert cids[0] not in {s.cid for s in loader.states()}
    assert torch.equal(loader.acquire(cids[0]).blob, original)


def test_leased_adapters_are_not_evicted(shelf):
    """SPEC 4.9"""
    cids = [shelf.put_bundle(adapter_files(seed=s)) for s in range(2)]
    size = loader_for(shelf).acquire(cids[0]).nbytes
    loader = loader_for(shelf, budget=size)
    loader.acquire(cids[0])
    with pytest.raises(ResidencyFull):
        loader.acquire(cids[1])
    loader.release(cids[0])


def test_pinned_adapter_stays(shelf, clock):
    """SPEC 4.9"""
    cids = [shelf.put_bundle(adapter_files(seed=s)) for s in range(2)]
    size = loader_for(shelf).acquire(cids[0]).nbytes
    loader = loader_for(shelf, clock, budget=size)
    loader.pin(cids[0])
    with pytest.raises(ResidencyFull):
        loader.acquire(cids[1])
    loader.unpin(cids[0])
    clock.now = 100.0
    assert loader.acquire(cids[1]).cid == cids[1]


def test_refused_bytes_are_quarantined_for_good(shelf, clock):
    """SPEC 4.11"""
    cid = shelf.put_bundle({**adapter_files(), "manifest.json": manifest("0x00")})
    loader = loader_for(shelf, clock)
    with pytest.raises(refusals.WrongBase):
        loader.acquire(cid)
    fetched = len(shelf.fetches)
    clock.now = 1e9
    with pytest.raises(AdapterQuarantined) as again:
        loader.acquire(cid)
    assert again.value.code == refusals.WrongBase.code
    assert len(shelf.fetches) == fetched
    assert [(s.cid, s.state) for s in loader.states()] == [(cid, "quarantined")]


def test_absent_blob_is_asked_for_again_after_a_while(shelf, clock):
    """SPEC 4.11"""
    named = adapter_files()
    cid = BlobShelf().put_bundle(named)
    loader = loader_for(shelf, clock)
    for _ in range(3):
        with pytest.raises(BlobMissing):
            loader.acquire(cid)
    assert len(shelf.fetches) == 1
    assert shelf.put_bundle(named) == cid
    clock.now = 5.0
    assert loader.acquire(cid).cid == cid


@pytest.mark.parametrize(
    "listing",
    [
        b"",
        b"[]",
        b'{"files":[]}',
        b'{"files":{}}',
        b'{"files":[{"name":"README.md"}]}',
        json.dumps({"files": [{"name": "a.bin", "cid": CID, "size": 1}]}).encode(),
        json.dumps({"files": [{"name": "README.md", "cid": "../../etc/passwd", "size": 1}]}).encode(),
        json.dumps({"files": [{"name": "README.md", "cid": CID, "size": 1}] * 2}).encode(),
        json.dumps({"files": [{"name": "README.md", "cid": CID, "size": 1}] * 17}).encode(),
        json.dumps({"files": [{"name": "README.md", "cid": CID, "size": -1}]}).encode(),
    ],
)
def test_bad_listings_are_refused_before_their_files_are_fetched(shelf, listing):
    """SPEC 4.2"""
    with pytest.raises(refusals.AdapterRefused):
        loader_for(shelf).acquire(shelf.put(listing))
    assert len(shelf.fetches) == 1


def test_listed_sizes_are_capped_and_checked(shelf):
    """SPEC 4.6"""
    names = ("adapter_config.json", "adapter_model.safetensors", "manifest.json")
    listing = {"files": [{"name": n, "cid": shelf.put(b"x"), "size": 10**9} for n in names]}
    with pytest.raises(refusals.OverCap):
        parse_listing(json.dumps(listing).encode(), Caps())
    small = {"files": [{"name": n, "cid": shelf.put(b"x"), "size": 2} for n in names]}
    with pytest.raises(refusals.BundleMalformed):
        loader_for(shelf).acquire(shelf.put(json.dumps(small).encode()))


def test_no_more_is_fetched_than_was_listed(shelf):
    """SPEC 4.6"""
    named = adapter_files()
    cid = shelf.put_bundle(named)
    listing = json.loads(shelf.blobs[cid])
    listing["files"][1]["size"] -= 1
    with pytest.raises(NodeUnreachable):
        loader_for(shelf).acquire(shelf.put(canonical_json(listing)))
