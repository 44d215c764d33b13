import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodingError
from protocol.hashing import tag, words
from protocol.merkle import root
from protocol.tokens import row_chunks_root, sequence_root, token_chunks

ids = st.lists(st.integers(0, 2**32 - 1), max_size=100)


@given(ids)
def test_chunks_hold_the_ids_in_order(sequence):
    """SPEC 0.17"""
    chunks = token_chunks(sequence)
    assert all(len(chunk) == 128 for chunk in chunks)
    assert len(chunks) == -(-len(sequence) // 32)
    joined = b"".join(chunks)
    read = [int.from_bytes(joined[at : at + 4], "big") for at in range(0, len(joined), 4)]
    assert read[: len(sequence)] == sequence and not any(read[len(sequence) :])


@given(ids)
def test_sequence_root_equals_its_definition(sequence):
    """SPEC 0.17"""
    padded = sequence + [0] * (-len(sequence) % 32)
    leaves = []
    for at in range(0, len(padded), 32):
        data = b"".join(one.to_bytes(4, "big") for one in padded[at : at + 32])
        leaves.append(keccak(tag("chunk", keccak) + data))
    assert sequence_root(sequence, keccak) == keccak(
        words(tag("output", keccak), root(leaves, keccak), len(sequence))
    )


@given(ids)
def test_padding_is_no_token(sequence):
    """SPEC 0.17"""
    assert sequence_root([*sequence, 0], keccak) != sequence_root(sequence, keccak)


@given(st.lists(ids, max_size=4))
def test_row_chunks_bind_row_place_and_length(rows):
    """SPEC 0.17"""
    found, count = row_chunks_root(rows, keccak)
    assert count == sum(-(-len(row) // 32) for row in rows)
    leaves = [
        keccak(tag("row_chunk", keccak) + words(row, place, len(sequence)) + chunk)
        for row, sequence in enumerate(rows)
        for place, chunk in enumerate(token_chunks(sequence))
    ]
    assert found == root(leaves, keccak)
    if any(rows):
        assert row_chunks_root([[], *rows], keccak)[0] != found


@pytest.mark.parametrize("bad", [[-1], [2**32], [0, 5, 2**40]])
def test_ids_are_uint32(bad):
    """SPEC 0.17"""
    with pytest.raises(EncodingError):
        token_chunks(bad)
