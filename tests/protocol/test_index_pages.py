import random
from dataclasses import replace

import pytest
from eth_hash.auto import keccak
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.errors import EncodingError
from protocol.hashing import sha256, tag
from protocol.index_pages import (
    FLAG_DECOY,
    FLAG_INFORMATIVE,
    MAX_CHECKPOINTS,
    TILE_ROWS,
    CodeShape,
    RowCodes,
    head_payload,
    index_root,
    read_rows,
    row_payload,
    verify_row,
)
from protocol.merkle import root, verify

LISTING = sha256(b"listing")
shapes = st.builds(CodeShape, st.integers(1, 3), st.sampled_from([64, 128, 192]), st.sampled_from([0, 2, 48]))


def random_codes(shape: CodeShape, rows: int, seed: int) -> list[RowCodes]:
    draw = random.Random(seed)
    return [
        RowCodes(
            3 * row,
            draw.choice([0, FLAG_INFORMATIVE, FLAG_DECOY]),
            tuple(draw.randrange(1 << 16) for _ in range(shape.checkpoints)),
            tuple(draw.randbytes(shape.width // 8) for _ in range(shape.checkpoints)),
            draw.randrange(1 << 16) if shape.losses else 0,
            draw.randbytes(shape.losses // 2),
        )
        for row in range(rows)
    ]


def columns_naively(shape: CodeShape, codes: list[RowCodes]) -> dict[str, bytes]:
    """Every byte put where the layout says it is, one row at a time."""
    files = {name: bytearray(size) for name, size in shape.columns(len(codes)).items()}
    for place, one in enumerate(codes):
        files["rows"][4 * place : 4 * place + 4] = one.row.to_bytes(4, "little")
        files["flags"][place] = one.flags
        for number in range(shape.checkpoints):
            magnitude = one.magnitudes[number].to_bytes(2, "little")
            files[f"{number}.magnitude"][2 * place : 2 * place + 2] = magnitude
            tile, row = divmod(place, TILE_ROWS)
            for word in range(shape.width // 64):
                at = 8 * ((tile * (shape.width // 64) + word) * TILE_ROWS + row)
                files[f"{number}.signs"][at : at + 8] = one.signs[number][8 * word : 8 * word + 8]
        if shape.losses:
            files["losses.magnitude"][2 * place : 2 * place + 2] = one.loss_magnitude.to_bytes(2, "little")
            half = shape.losses // 2
            files["losses"][half * place : half * (place + 1)] = one.losses
    return {name: bytes(data) for name, data in files.items()}


def pieces(data: bytes, size: int) -> list[bytes]:
    return [data[at : at + size] for at in range(0, len(data), size)]


@settings(max_examples=30, deadline=None)
@given(shapes, st.integers(0, 2 * TILE_ROWS + 3), st.integers(0, 99), st.integers(1, 5000))
def test_rows_come_back_from_their_columns(shape: CodeShape, rows: int, seed: int, size: int) -> None:
    """SPEC 5.120: whatever pieces the columns come in."""
    codes = random_codes(shape, rows, seed)
    files = {name: pieces(data, size) for name, data in columns_naively(shape, codes).items()}
    assert list(read_rows(shape, rows, files)) == codes


def test_a_column_of_another_length_is_refused() -> None:
    """SPEC 5.120"""
    shape = CodeShape(2, 64, 2)
    files = columns_naively(shape, random_codes(shape, 130, 1))
    for name in files:
        for wrong in (files[name][:-1], files[name] + b"\0"):
            with pytest.raises(EncodingError, match=f"column {name} "):
                list(read_rows(shape, 130, {n: [d] for n, d in (files | {name: wrong}).items()}))


def test_a_record_has_its_fields_in_order() -> None:
    """SPEC 5.121"""
    one = RowCodes(258, FLAG_INFORMATIVE, (1, 0x0203), (b"\xaa" * 8, b"\xbb" * 8), 7, b"\xcc")
    expected = "00000102010001" + "aa" * 8 + "0203" + "bb" * 8 + "0007cc"
    assert one.record().hex() == expected
    assert len(one.record()) == CodeShape(2, 64, 2).record_bytes()
    assert CodeShape(3, 1024).record_bytes() == 395 and CodeShape(3, 1024, 48).record_bytes() == 421


def test_three_checkpoints_take_at_most_402_bytes_a_row() -> None:
    """SPEC 5.122: 402 without the losses, 512 with 48 of them; ten million rows stay below 4.5 GB."""
    rows = 10_000_000
    assert sum(CodeShape(3, 1024).columns(rows).values()) <= 402 * rows < 4_500_000_000
    assert sum(CodeShape(3, 1024, 48).columns(rows).values()) <= 512 * rows


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 40), st.data())
def test_every_record_is_proved_and_no_other(rows: int, data: st.DataObject) -> None:
    """SPEC 5.121: the root is the plain tree's over head and rows, and each path proves its record alone."""
    shape = CodeShape(1, 64)
    records = [one.record() for one in random_codes(shape, rows, rows)]
    places = data.draw(st.lists(st.integers(0, rows - 1), unique=True, max_size=5)) if rows else []
    payloads = [head_payload(LISTING, keccak), *(row_payload(record, keccak) for record in records)]
    top, proofs = index_root(LISTING, iter(records), places, keccak)
    assert top == root(payloads, keccak)
    for place, proof in zip(places, proofs, strict=True):
        assert proof.index == place + 1
        assert verify_row(records[place], proof, top, keccak)
        bit = data.draw(st.integers(0, 8 * len(records[place]) - 1))
        changed = bytearray(records[place])
        changed[bit // 8] ^= 1 << bit % 8
        assert not verify_row(bytes(changed), proof, top, keccak)
        assert not verify_row(records[place], replace(proof, index=proof.index - 1), top, keccak)


def test_the_listing_is_no_row_and_no_row_the_listing() -> None:
    """SPEC 5.121"""
    record = tag("index_head", keccak) + LISTING
    top, proofs = index_root(LISTING, [record], [0], keccak)
    assert not verify_row(LISTING, replace(proofs[0], index=0), top, keccak)
    assert not verify(head_payload(LISTING, keccak), proofs[0], top, keccak)


@pytest.mark.parametrize(
    ("checkpoints", "width", "losses"),
    [
        (0, 64, 0),
        (MAX_CHECKPOINTS + 1, 64, 0),
        (1, 0, 0),
        (1, 72, 0),
        (1, 1 << 17, 0),
        (1, 64, 3),
        (1, 64, 258),
    ],
)
def test_shapes_beyond_their_limits_are_refused(checkpoints: int, width: int, losses: int) -> None:
    """SPEC 5.120"""
    with pytest.raises(EncodingError):
        CodeShape(checkpoints, width, losses)
