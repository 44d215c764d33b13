import hashlib

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.cid import DAG_PB, RAW, Cid, cid_of_raw
from protocol.dagpb import FILE, Link, Node, encode_node
from protocol.errors import DagError
from protocol.unixfs import (
    CHUNK_BYTES,
    MAX_BLOCK_BYTES,
    MAX_LINKS,
    build,
    build_directory,
    read,
    read_directory,
)


def varint(value):
    return bytes([value]) if value < 128 else bytes([value & 127 | 128]) + varint(value >> 7)


def naive(chunks, depth):
    """(cid binary, tsize, size, chunks used) top-down, written from the UnixFS and dag-pb descriptions."""
    if depth == 0:
        data = chunks[0]
        return b"\x01\x55\x12\x20" + hashlib.sha256(data).digest(), len(data), len(data), 1
    links = sizes = b""
    total = tsize = used = count = 0
    while used < len(chunks) and count < 174:
        cid, child_tsize, child_size, child_used = naive(chunks[used:], depth - 1)
        link = b"\x0a" + varint(len(cid)) + cid + b"\x12\x00\x18" + varint(child_tsize)
        links += b"\x12" + varint(len(link)) + link
        sizes += b"\x20" + varint(child_size)
        total, tsize, used, count = total + child_size, tsize + child_tsize, used + child_used, count + 1
    data = b"\x08\x02\x18" + varint(total) + sizes
    block = links + b"\x0a" + varint(len(data)) + data
    return b"\x01\x70\x12\x20" + hashlib.sha256(block).digest(), tsize + len(block), total, used


def naive_root(data, chunk):
    chunks = [data[at : at + chunk] for at in range(0, len(data), chunk)] or [b""]
    depth = 0
    while 174**depth < len(chunks):
        depth += 1
    return naive(chunks, depth)


def blocks_of(dag):
    return {block.cid: block.data for block in dag.blocks}


@settings(max_examples=60)
@given(st.integers(0, 6_000), st.integers(1, 300), st.integers(0, 255))
def test_any_file_equals_the_naive_construction(size, chunk, seed):
    """SPEC 0.14"""
    data = bytes((seed + place * place) % 251 for place in range(size))
    dag = build(data, chunk)
    cid, tsize, total, _ = naive_root(data, chunk)
    assert (dag.root.binary, dag.tsize, total) == (cid, tsize, size)


@pytest.mark.parametrize("leaves", [0, 1, 2, MAX_LINKS, MAX_LINKS + 1, MAX_LINKS**2, MAX_LINKS**2 + 1])
def test_the_shape_at_the_edges_of_a_level(leaves):
    """SPEC 0.14"""
    data = bytes(place % 253 for place in range(leaves * 2))
    assert build(data, 2).root.binary == naive_root(data, 2)[0]


@pytest.mark.parametrize("size", [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES + 5])
def test_the_profile_reads_back(size):
    """SPEC 0.14, 0.15"""
    data = hashlib.shake_256(b"profile").digest(size)
    dag = build(data)
    assert read(dag.root, blocks_of(dag).__getitem__) == data
    assert dag.root.binary == naive_root(data, CHUNK_BYTES)[0]
    assert dag.root.codec == (RAW if size <= CHUNK_BYTES else DAG_PB)


@settings(max_examples=50)
@given(st.binary(min_size=1, max_size=600), st.data())
def test_a_changed_bit_in_any_block_is_noticed(data, draw):
    """SPEC 0.15"""
    dag = build(data, 3)
    stored = blocks_of(dag)
    victim = draw.draw(st.sampled_from(sorted(stored, key=str)))
    if not stored[victim]:
        return
    bad = bytearray(stored[victim])
    bad[draw.draw(st.integers(0, len(bad) - 1))] ^= 1 << draw.draw(st.integers(0, 7))
    with pytest.raises(DagError):
        read(dag.root, {**stored, victim: bytes(bad)}.__getitem__)


def node_of(links, sizes):
    data = encode_node(Node(FILE, tuple(links), tuple(sizes)))
    return Cid(DAG_PB, hashlib.sha256(data).digest()), data


def test_lying_sizes_are_refused():
    """SPEC 0.15"""
    leaf = cid_of_raw(b"abc")
    root, block = node_of([Link(leaf, "", 3)], [4])
    with pytest.raises(DagError, match="holds 3 bytes, its parent says 4"):
        read(root, {root: block, leaf: b"abc"}.__getitem__)


def test_a_graph_of_shared_children_stops_at_the_caps():
    """SPEC 0.15: a few small blocks can name any number of bytes."""
    leaf = cid_of_raw(b"x" * 1000)
    store, cid, size = {leaf: b"x" * 1000}, leaf, 1000
    for _ in range(3):
        cid, block = node_of([Link(cid, "", 1)] * MAX_LINKS, [size] * MAX_LINKS)
        store[cid] = block
        size *= MAX_LINKS
    with pytest.raises(DagError, match="exceeds"):
        read(cid, store.__getitem__, max_bytes=1 << 20)
    empty = cid_of_raw(b"")
    store, cid = {empty: b""}, empty
    for _ in range(3):
        cid, block = node_of([Link(cid, "", 0)] * MAX_LINKS, [0] * MAX_LINKS)
        store[cid] = block
    with pytest.raises(DagError, match="exceeds"):
        read(cid, store.__getitem__, max_bytes=1 << 20)


def test_depth_width_names_and_block_size_are_bounded():
    """SPEC 0.15"""
    leaf = cid_of_raw(b"a")
    store, cid = {leaf: b"a"}, leaf
    for _ in range(6):
        cid, block = node_of([Link(cid, "", 1)], [1])
        store[cid] = block
    with pytest.raises(DagError, match="deeper"):
        read(cid, store.__getitem__)
    for links in ([Link(leaf, "", 1)] * (MAX_LINKS + 1), [Link(leaf, "n", 1)], []):
        cid, block = node_of(links, [1] * len(links))
        with pytest.raises(DagError, match="unnamed links"):
            read(cid, {leaf: b"a", cid: block}.__getitem__)
    huge = bytes(MAX_BLOCK_BYTES + 1)
    with pytest.raises(DagError):
        read(cid_of_raw(huge), lambda _: huge)


@given(
    st.dictionaries(st.text("abcé.-_ \U0001f600", min_size=1, max_size=8), st.binary(max_size=20), max_size=8)
)
def test_directories_read_back_and_hold_their_files(files):
    """SPEC 0.14"""
    files = {name: data for name, data in files.items() if name not in (".", "..")}
    dags = {name: build(data) for name, data in files.items()}
    folder = build_directory({name: (dag.root, dag.tsize) for name, dag in dags.items()})
    store = blocks_of(folder) | {cid: data for dag in dags.values() for cid, data in blocks_of(dag).items()}
    entries = read_directory(folder.root, store.__getitem__)
    assert {name: read(cid, store.__getitem__) for name, (cid, _) in entries.items()} == files
    assert list(entries) == sorted(files, key=lambda name: name.encode())
    with pytest.raises(DagError):
        read(folder.root, store.__getitem__)


def test_the_empty_directory_is_the_known_one():
    """SPEC 0.14"""
    assert build_directory({}).root.text == "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"


@pytest.mark.parametrize("name", ["", ".", "..", "a/b", "a\0b", "é" * 128])
def test_unsafe_names_are_refused(name):
    """SPEC 0.14"""
    with pytest.raises(DagError):
        build_directory({name: (cid_of_raw(b""), 0)})


def test_a_directory_that_repeats_a_name_is_refused():
    """SPEC 0.15: two entries of one name, each valid, in canonical bytes."""
    one, other = cid_of_raw(b"1"), cid_of_raw(b"2")
    data = encode_node(Node(1, (Link(one, "a", 1), Link(other, "a", 1)), ()))
    cid = Cid(DAG_PB, hashlib.sha256(data).digest())
    with pytest.raises(DagError):
        read_directory(cid, lambda _: data)
    with pytest.raises(DagError):
        read_directory(one, lambda _: b"1")


def test_a_directory_too_large_must_be_nested():
    """SPEC 0.14"""
    with pytest.raises(DagError, match="nest it"):
        build_directory({f"{place:0200d}": (cid_of_raw(b""), 0) for place in range(1100)})
