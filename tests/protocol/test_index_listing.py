import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import canonical_json
from protocol.cid import cid_of_raw
from protocol.errors import ProtocolError
from protocol.index_listing import Columns, IndexListing, decode_listing, encode_listing
from protocol.index_pages import MAX_SEGMENT_ROWS, CodeShape


def columns(shape: CodeShape, rows: int) -> Columns:
    return Columns(rows, {name: cid_of_raw(f"{rows} {name}".encode()).text for name in shape.columns(rows)})


def listing(shape: CodeShape, decoys: int, *segments: int) -> IndexListing:
    named = tuple(columns(shape, rows) for rows in segments)
    return IndexListing(shape, cid_of_raw(b"head").text, columns(shape, decoys), named)


@given(
    st.builds(CodeShape, st.integers(1, 4), st.sampled_from([64, 1024]), st.sampled_from([0, 48])),
    st.integers(0, 96),
    st.lists(st.integers(1, MAX_SEGMENT_ROWS), min_size=1, max_size=4),
)
def test_a_listing_reads_back(shape: CodeShape, decoys: int, segments: list[int]) -> None:
    """SPEC 5.125"""
    made = listing(shape, decoys, *segments)
    assert decode_listing(encode_listing(made)) == made
    assert made.rows == sum(segments)
    assert made.column_bytes() == sum(sum(shape.columns(n).values()) for n in (decoys, *segments))
    names = {made.head, *(cid for part in made.parts() for cid in part.files.values())}
    assert set(made.files()) == names and len(made.files()) == len(names)


def changed(**changes: Any) -> bytes:
    value = json.loads(encode_listing(listing(CodeShape(1, 64), 2, 5)))
    return canonical_json(value | changes)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"{}",
        b"[" * 50,
        changed(v=1),
        changed(checkpoints=17),
        changed(width=65),
        changed(losses=1),
        changed(head="../../head"),
        changed(segments=[]),
        changed(segments=[{"rows": 0, "files": {}}]),
        changed(segments=[{"rows": MAX_SEGMENT_ROWS + 1, "files": {}}]),
        changed(decoys={"rows": 1, "files": {}}),
        changed(extra=1),
        encode_listing(listing(CodeShape(1, 64), 2, 5)).replace(b'"0.signs"', b'"9.signs"'),
        changed(segments=[{"rows": 1, "files": {}, "more": 1}]),
    ],
)
def test_anything_else_is_refused(data: bytes) -> None:
    """SPEC 5.125"""
    with pytest.raises(ProtocolError):
        decode_listing(data)


@given(st.integers(0, 10_000), st.integers(0, 255))
def test_a_changed_byte_is_refused_or_another_listing(place: int, byte: int) -> None:
    """SPEC 5.125: never another error, and never the same index under other bytes."""
    data = bytearray(encode_listing(listing(CodeShape(2, 128, 4), 2, 5, 9)))
    data[place % len(data)] = byte
    try:
        found = decode_listing(bytes(data))
    except ProtocolError:
        return
    assert encode_listing(found) == bytes(data)
