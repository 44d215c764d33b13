"""Whole blobs: what went in comes out, or an error does; unpinned graphs go, pinned ones stay whole."""

import random
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.blobs.store import BlobStore
from node.errors import IntegrityError, LimitExceeded, NotFound
from node.store.blocks import BlockTable
from node.store.database import open_database
from protocol.cid import CidError, cid_of_raw, parse_cid
from protocol.errors import DagError
from protocol.unixfs import CHUNK_BYTES, build

SIZES = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 7]


@pytest.mark.parametrize("size", SIZES)
def test_a_blob_comes_back_under_its_own_address(blobs: BlobStore, size: int) -> None:
    """SPEC 1.3"""
    data = random.Random(size).randbytes(size)
    cid = blobs.put(data, "a blob")
    assert blobs.get(cid) == data and blobs.has(cid)
    assert cid == build(data).root and blobs.put(data) == cid


def test_a_rotten_block_anywhere_in_a_graph_is_found(
    blobs: BlobStore, corrupt: Callable[[bytes], None]
) -> None:
    """SPEC 1.3"""
    data = random.Random(1).randbytes(2 * CHUNK_BYTES + 5)
    for block in build(data).blocks:
        cid = blobs.put(data)
        corrupt(block.cid.digest)
        with pytest.raises(IntegrityError):
            blobs.get(cid)
        with pytest.raises(IntegrityError):
            blobs.has(cid)


def test_a_read_stops_at_its_limit_before_it_allocates(blobs: BlobStore) -> None:
    """SPEC 1.4"""
    cid = blobs.put(bytes(3 * CHUNK_BYTES))
    with pytest.raises(DagError):
        blobs.get(cid, max_bytes=2 * CHUNK_BYTES)


def test_an_oversized_blob_is_refused(blobs: BlobStore, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 1.4"""
    monkeypatch.setattr("node.blobs.store.MAX_BLOB_BYTES", 10)
    with pytest.raises(LimitExceeded):
        blobs.put_all([b"fits", b"does not fit"])
    assert blobs.pins() == {}


@given(
    kept=st.lists(st.binary(max_size=40), max_size=6, unique=True),
    dropped=st.lists(st.binary(max_size=40), max_size=6, unique=True),
)
@settings(max_examples=30, deadline=None)
def test_collection_drops_what_no_pin_reaches_and_nothing_else(
    kept: list[bytes], dropped: list[bytes]
) -> None:
    """SPEC 1.9"""
    blobs = BlobStore(BlockTable(open_database(":memory:")))
    going = {blobs.put(data) for data in dropped}
    for cid in going:
        blobs.unpin(cid)
    staying = set(blobs.put_all(kept, "keep"))
    assert blobs.collect() == len(going - staying)
    assert all(blobs.has(cid) for cid in staying)
    assert not any(blobs.has(cid) for cid in going - staying)


def test_collection_keeps_blocks_that_two_graphs_share(blobs: BlobStore) -> None:
    """SPEC 1.9"""
    shared = bytes(CHUNK_BYTES)
    first, second = blobs.put(shared + b"first"), blobs.put(shared + b"second")
    blobs.unpin(first)
    assert blobs.collect() == 2
    assert blobs.get(second) == shared + b"second" and not blobs.has(first)


def test_a_graph_that_is_not_all_here_cannot_be_pinned(blobs: BlobStore) -> None:
    """SPEC 1.9"""
    with pytest.raises(NotFound):
        blobs.pin(cid_of_raw(b"never put"))
    assert blobs.pins() == {}


HOSTILE_CIDS = [
    "",
    "../../etc/passwd",
    "bafk/../../../etc/passwd",
    "/absolute",
    "b" + "a" * 58,
    "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52z!",
    "BAFKREIGH2AKISCAILDCQABSYG3DFR6CHU3FGPREGIYMSCK7E7AQA4S52ZY",
    "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy\x00",
    "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy/../x",
    "bafkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zz",
    "sha256:" + "0" * 63,
    "sha256:" + "0" * 65,
    "QmYwAPJzv5CZsnA625s3Xf2nemtYgPpHdWEz79ojWnPbdG",
    "zdj7WhuEjrB52m1BisYCtmjH1hSKa7yZ3jEZ9JcXaFRD51wVz",
    "bafyaa",
    "b\u0430fkreigh2akiscaildcqabsyg3dfr6chu3fgpregiymsck7e7aqa4s52zy",
]


@pytest.mark.parametrize("text", HOSTILE_CIDS)
def test_a_hostile_cid_is_refused_before_anything_is_looked_up(
    text: str, blobs: BlobStore, tmp_path: Path
) -> None:
    """SPEC 1.6"""
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(CidError):
        blobs.get(parse_cid(text))
    assert sorted(tmp_path.rglob("*")) == before


@given(text=st.text(max_size=70))
@settings(max_examples=200, deadline=None)
def test_a_cid_that_is_accepted_spells_itself_with_letters_and_digits(text: str) -> None:
    """SPEC 1.6"""
    try:
        cid = parse_cid(text)
    except CidError:
        return
    assert cid.text == text and text.isascii() and text.isalnum()
