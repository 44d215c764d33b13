from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.cid import cid_of_raw
from protocol.dagpb import DIRECTORY, FILE, Link, Node, decode_node, encode_node, read_uvarint, uvarint
from protocol.errors import DagError

CID = cid_of_raw(b"x")
links = st.builds(Link, st.just(CID), st.text(max_size=5), st.integers(0, 2**40))


@given(st.integers(0, 2**63 - 1))
def test_varints_read_back(value):
    data = uvarint(value)
    assert read_uvarint(data + b"\xff", 0) == (value, len(data))


@pytest.mark.parametrize("data", [b"", b"\x80", b"\xff" * 10 + b"\x01"])
def test_endless_varints_are_refused(data):
    """SPEC 0.15"""
    with pytest.raises(DagError):
        read_uvarint(data, 0)


def test_a_node_is_the_bytes_ipfs_writes():
    """SPEC 0.14: checked by hand against the dag-pb and UnixFS message definitions."""
    node = Node(FILE, (Link(CID, "", 1),), (1,))
    link = b"\x0a\x24" + CID.binary + b"\x12\x00" + b"\x18\x01"
    assert (
        encode_node(node) == b"\x12" + bytes([len(link)]) + link + b"\x0a\x06" + b"\x08\x02\x18\x01\x20\x01"
    )


@given(st.lists(links, max_size=4), st.booleans(), st.data())
def test_nodes_read_back(children, is_file, data):
    """SPEC 0.14"""
    sizes = tuple(data.draw(st.integers(0, 2**30)) for _ in children) if is_file else ()
    node = Node(FILE if is_file else DIRECTORY, tuple(children), sizes)
    assert decode_node(encode_node(node)) == node


@given(st.binary(max_size=80))
def test_any_bytes_are_a_node_or_refused(data):
    """SPEC 0.15: what is accepted is exactly what would have been written."""
    try:
        node = decode_node(data)
    except DagError:
        return
    assert encode_node(node) == data


@given(st.lists(links, min_size=1, max_size=3), st.data())
def test_a_changed_byte_is_never_read_as_the_same_node(children, data):
    """SPEC 0.15"""
    node = Node(DIRECTORY, tuple(children), ())
    block = bytearray(encode_node(node))
    place = data.draw(st.integers(0, len(block) - 1))
    block[place] ^= data.draw(st.integers(1, 255))
    with suppress(DagError):
        assert decode_node(bytes(block)) != node


@pytest.mark.parametrize(
    "block",
    [
        b"",
        b"\x0a\x02\x08\x03",
        b"\x0a\x02\x08\x05",
        b"\x0a\x00",
        b"\x0a\x02\x08\x01\x0a\x02\x08\x01",
        b"\x0d\x00",
        b"\x0a\x03\x08\x81\x00",
        b"\x0a\x02\x08\x01\x1a\x00",
        b"\x0a\x05\x08\x01",
        b"\x12\x02\x0a\x00\x0a\x02\x08\x01",
        b"\x08\x01",
    ],
)
def test_other_kinds_and_forms_are_refused(block):
    """SPEC 0.15: symlinks, shards, missing or double data, long varints, unknown fields, truncation."""
    with pytest.raises(DagError):
        decode_node(block)
