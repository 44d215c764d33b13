"""A bundle's listing decides what is fetched, and how much of it."""

import json

import pytest
import torch

from inference_worker.adapters import refusals
from inference_worker.adapters.bundle import BundleSource, parse_listing
from inference_worker.adapters.ingest import Caps
from inference_worker.blobs.abort import Abort
from inference_worker.blobs.node_blobs import cid_of
from inference_worker.errors import NodeUnreachable
from protocol.canonical import canonical_json
from tests.inference_worker.adapters.loading import packer
from tests.inference_worker.adapters.peft_folders import BlobShelf, adapter_files

CID = cid_of(b"x")


@pytest.fixture
def shelf():
    return BlobShelf()


def load(shelf, cid):
    return BundleSource(shelf.fetch, packer()).load(cid, Abort()).packed


def test_identity_is_content(shelf):
    """SPEC 4.1"""
    first, second = shelf.put_bundle(adapter_files(seed=1)), shelf.put_bundle(adapter_files(seed=2))
    assert first != second == shelf.put_bundle(adapter_files(seed=2))
    assert not torch.equal(load(shelf, first).blob, load(shelf, second).blob)


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
        load(shelf, shelf.put(listing))
    assert len(shelf.fetches) == 1


def test_listed_sizes_are_capped_and_checked(shelf):
    """SPEC 4.6"""
    names = ("adapter_config.json", "adapter_model.safetensors", "manifest.json")
    listing = {"files": [{"name": n, "cid": shelf.put(b"x"), "size": 10**9} for n in names]}
    with pytest.raises(refusals.OverCap):
        parse_listing(json.dumps(listing).encode(), Caps())
    small = {"files": [{"name": n, "cid": shelf.put(b"x"), "size": 2} for n in names]}
    with pytest.raises(refusals.BundleMalformed):
        load(shelf, shelf.put(json.dumps(small).encode()))


def test_no_more_is_fetched_than_was_listed(shelf):
    """SPEC 4.6"""
    cid = shelf.put_bundle(adapter_files())
    listing = json.loads(shelf.blobs[cid])
    listing["files"][1]["size"] -= 1
    with pytest.raises(NodeUnreachable):
        load(shelf, shelf.put(canonical_json(listing)))
