import hashlib

import pytest
from eth_abi import encode
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.errors import EncodingError
from protocol.hashing import from_hex, sha256, tag, to_hex, words
from tests.protocol.records import words32

TAGS = (
    "leaf",
    "node",
    "root",
    "sum_leaf",
    "sum_node",
    "sum_root",
    "chunk",
    "row_chunk",
    "output",
    "prompt",
    "request",
    "entry",
    "entry_leaf",
    "line",
    "stakers",
)


@given(st.lists(st.integers(0, 2**256 - 1) | words32, max_size=6))
def test_words_equal_abi_encode(values):
    """SPEC 0.2: words are what Solidity's abi.encode gives for static values."""
    kinds = ["uint256" if isinstance(value, int) else "bytes32" for value in values]
    assert words(*values) == encode(kinds, values)


@pytest.mark.parametrize("value", [-1, 2**256, b"", b"\0" * 31, b"\0" * 33])
def test_what_does_not_fit_a_word_is_refused(value):
    """SPEC 0.2"""
    with pytest.raises(EncodingError):
        words(value)


def test_tags_are_distinct_and_as_documented():
    """SPEC 0.3"""
    assert tag("sum_leaf", keccak) == keccak(b"openledger.sum_leaf")
    assert len({tag(name, keccak) for name in TAGS}) == len(TAGS)


@given(st.binary(max_size=64))
def test_hex_has_one_spelling(data):
    """SPEC 0.4"""
    text = to_hex(data)
    assert from_hex(text, len(data)) == data
    for other in (
        text[2:],
        text + "0",
        "0X" + text[2:],
        text.upper() if text != text.upper() else text + "zz",
    ):
        with pytest.raises(EncodingError):
            from_hex(other, len(data))


def test_sha256_is_the_standard_one():
    assert sha256(b"abc") == hashlib.sha256(b"abc").digest()
