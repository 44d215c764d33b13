"""CAR files: a graph survives the journey; a file that lies about anything is refused whole."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from node.blobs.car import HEADER_HEAD, HEADER_TAIL, BadCar, decode_car, encode_car, walk
from node.blobs.store import BlobStore
from protocol.cid import DAG_PB, RAW, Cid, cid_of_raw
from protocol.dagpb import uvarint
from protocol.hashing import sha256
from protocol.unixfs import CHUNK_BYTES, Block, build

DATA = random.Random(3).randbytes(CHUNK_BYTES + 100)
DAG = build(DATA)
STRANGER = Block(cid_of_raw(b"stranger"), b"stranger")


def sections(*blocks: Block) -> bytes:
    return b"".join(uvarint(36 + len(block.data)) + block.cid.binary + block.data for block in blocks)


def header(root: Cid = DAG.root) -> bytes:
    return uvarint(58) + HEADER_HEAD + root.binary + HEADER_TAIL


def test_the_header_is_the_one_that_the_format_prescribes() -> None:
    """SPEC 1.5: the only DAG-CBOR of {"roots": [link], "version": 1}."""
    assert encode_car(DAG.root, [])[1:] == HEADER_HEAD + DAG.root.binary + HEADER_TAIL
    assert len(HEADER_HEAD + DAG.root.binary + HEADER_TAIL) == 58


@pytest.mark.parametrize("size", [0, 5, CHUNK_BYTES + 1])
def test_a_graph_survives_the_journey(blobs: BlobStore, other_blobs: BlobStore, size: int) -> None:
    """SPEC 1.5"""
    data = random.Random(size).randbytes(size)
    cid = blobs.put(data)
    assert other_blobs.import_car(blobs.export_car(cid), "copy") == cid
    assert other_blobs.get(cid) == data
    assert other_blobs.export_car(cid) == blobs.export_car(cid)


MALICIOUS = {
    "empty": b"",
    "header only": header(),
    "no header": sections(*DAG.blocks),
    "endless varint": b"\xff" * 20,
    "huge header": uvarint(2**62) + header()[1:],
    "CAR version 2": b"\x0a\xa1\x67version\x02",
    "two roots": uvarint(99) + b"\xa2\x65roots\x82" + bytes(99),
    "header of another version": (header() + sections(*DAG.blocks)).replace(b"version\x01", b"version\x02"),
    "block missing": header() + sections(*DAG.blocks[1:]),
    "root missing": header() + sections(*DAG.blocks[:-1]),
    "extra block": header() + sections(*DAG.blocks, STRANGER),
    "repeated block": header() + sections(*DAG.blocks, DAG.blocks[0]),
    "false hash": header() + sections(*DAG.blocks[:-1], Block(DAG.root, DAG.blocks[-1].data + b"x")),
    "cut off": (header() + sections(*DAG.blocks))[:-1],
    "trailing byte": header() + sections(*DAG.blocks) + b"\x00",
    "section of 2^62 bytes": header() + uvarint(2**62) + DAG.root.binary,
    "section too short for a CID": header() + uvarint(10) + bytes(10),
    "section of no bytes": header() + sections(*DAG.blocks) + b"\x00" * 3,
    "block over 2 MiB": header() + sections(Block(cid_of_raw(bytes(3 << 20)), bytes(3 << 20))),
    "identity hash": header() + uvarint(40) + b"\x01\x55\x00\x24" + bytes(36),
    "sha2-512": header() + uvarint(68) + b"\x01\x55\x13\x40" + bytes(64),
    "codec dag-cbor": header() + uvarint(37) + b"\x01\x71\x12\x20" + sha256(b"\xa0") + b"\xa0",
    "CIDv0": header() + uvarint(35) + b"\x12\x20" + sha256(b"x") + b"x",
    "root is no UnixFS node": header(Cid(DAG_PB, sha256(b"junk")))
    + sections(Block(Cid(DAG_PB, sha256(b"junk")), b"junk")),
}


@pytest.mark.parametrize("name", MALICIOUS)
def test_a_lying_file_is_refused_whole(blobs: BlobStore, name: str) -> None:
    """SPEC 1.5"""
    with pytest.raises(BadCar):
        blobs.import_car(MALICIOUS[name])
    assert blobs.pins() == {} and not any(blobs.has(block.cid) for block in DAG.blocks)


def test_a_file_with_another_root_than_asked_for_is_refused(blobs: BlobStore) -> None:
    """SPEC 1.5"""
    car = encode_car(DAG.root, DAG.blocks)
    with pytest.raises(BadCar, match="another root"):
        blobs.import_car(car, root=STRANGER.cid)
    assert not blobs.has(DAG.root)


@given(position=st.integers(0, 10**9), flip=st.integers(1, 255))
@settings(max_examples=100, deadline=None)
def test_no_changed_byte_passes(position: int, flip: int) -> None:
    """SPEC 1.5"""
    small = build(b"a small row of data")
    car = bytearray(encode_car(small.root, small.blocks))
    car[position % len(car)] ^= flip
    with pytest.raises(BadCar):
        decode_car(bytes(car))


@given(data=st.binary(max_size=120))
@settings(max_examples=100, deadline=None)
def test_noise_is_refused(data: bytes) -> None:
    """SPEC 1.5"""
    for prefix in (b"", header(), header(cid_of_raw(b""))):
        with pytest.raises(BadCar):
            decode_car(prefix + data)


def test_the_number_of_blocks_is_capped(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 1.4"""
    monkeypatch.setattr("node.blobs.car.MAX_BLOCKS", 2)
    with pytest.raises(BadCar, match="too many"):
        decode_car(encode_car(DAG.root, DAG.blocks))
    blocks = {block.cid: block.data for block in DAG.blocks}
    with pytest.raises(BadCar, match="too many"):
        list(walk(DAG.root, blocks.__getitem__))


def test_a_walk_visits_parents_before_children_and_each_once() -> None:
    """SPEC 1.5"""
    repeated = build(bytes(4 * CHUNK_BYTES))
    blocks = {block.cid: block.data for block in repeated.blocks}
    visited = [block.cid for block in walk(repeated.root, blocks.__getitem__)]
    assert visited[0] == repeated.root and len(visited) == len(set(visited)) == 2
    assert visited[1].codec == RAW
