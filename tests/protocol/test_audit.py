"""The sample of an audit: the same for everyone, known to nobody before, and moved by no one's stake."""

import hashlib
from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.audit import audit_seed, sample_size, sampled_receipts, sampled_rows
from protocol.errors import EncodingError


def digest(data: bytes) -> bytes:
    return hashlib.sha3_256(data).digest()


HASHES = st.sets(st.binary(min_size=32, max_size=32), max_size=60)
WORD = st.binary(min_size=32, max_size=32)


@given(HASHES, WORD, st.integers(0, 70))
def test_everyone_draws_the_same_and_nothing_else(receipts: set[bytes], seed: bytes, size: int) -> None:
    """SPEC 5.172"""
    drawn = sampled_receipts(sorted(receipts), seed, size, digest)
    assert drawn == sampled_receipts(sorted(receipts, reverse=True), seed, size, digest)
    assert len(set(drawn)) == len(drawn) == min(size, len(receipts)) and set(drawn) <= receipts


@given(HASHES, HASHES, WORD, st.integers(1, 20))
def test_what_else_is_listed_moves_no_ticket(
    receipts: set[bytes], others: set[bytes], seed: bytes, size: int
) -> None:
    """SPEC 5.172: those drawn from more are, of those here, the ones drawn before."""
    few = sampled_receipts(receipts, seed, size, digest)
    many = sampled_receipts(receipts | others, seed, size, digest)
    kept = [one for one in many if one in receipts]
    assert kept == list(few[: len(kept)])


def test_another_block_or_epoch_draws_others() -> None:
    """SPEC 5.172"""
    receipts = [digest(bytes([number])) for number in range(200)]
    blocks = [digest(b"block"), digest(b"another")]
    samples = {
        sampled_receipts(receipts, audit_seed(epoch, block, digest), 10, digest)
        for epoch in (3, 4)
        for block in blocks
    }
    assert len(samples) == 4


def test_every_receipt_is_drawn_about_as_often() -> None:
    """SPEC 5.172: 20 of 100, 400 times: within six standard deviations of 80."""
    receipts = [digest(bytes([number])) for number in range(100)]
    drawn = Counter(
        one
        for epoch in range(400)
        for one in sampled_receipts(receipts, audit_seed(epoch, digest(b"b"), digest), 20, digest)
    )
    assert len(drawn) == 100 and all(32 <= times <= 128 for times in drawn.values())


@settings(max_examples=40)
@given(WORD, WORD, st.integers(0, 10_000_000), st.integers(0, 50))
def test_rows_are_drawn_once_each_and_lie_in_the_index(
    index: bytes, seed: bytes, count: int, size: int
) -> None:
    """SPEC 5.172"""
    rows = sampled_rows(index, count, seed, size, digest)
    assert len(set(rows)) == len(rows) == min(size, count)
    assert all(0 <= row < count for row in rows)
    assert rows[: size // 2] == sampled_rows(index, count, seed, size // 2, digest)


@given(st.integers(0, 10**9), st.integers(0, 10**6), st.integers(0, 100))
def test_a_sample_is_a_part_of_all_and_no_fewer_than_the_least(count: int, ppm: int, least: int) -> None:
    """SPEC 5.172"""
    size = sample_size(count, ppm, least)
    assert size == min(count, max(least, -(-count * ppm // 10**6)))
    with pytest.raises(EncodingError):
        sample_size(count, 10**6 + 1, least)
