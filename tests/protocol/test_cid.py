import base64
import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.cid import DAG_PB, RAW, Cid, cid_from_binary, cid_of_raw, parse_cid
from protocol.errors import CidError
from tests.protocol.records import words32

EMPTY_RAW = "bafkreihdwdcefgh4dqkjv67uzcmw7ojee6xedzdetojuzjevtenxquvyku"
HELLO_RAW = "bafkreibm6jg3ux5qumhcn2b3flc3tyu6dmlb4xa7u5bf44yegnrjhc4yeq"
EMPTY_DIRECTORY = "bafybeiczsscdsbs7ffqz55asqdf3smv6klcw3gofszvwlyarci47bgf354"

cids = st.builds(Cid, st.sampled_from([RAW, DAG_PB]), words32)


def test_known_cids():
    """SPEC 0.13: the CIDs that every IPFS implementation gives."""
    assert cid_of_raw(b"").text == EMPTY_RAW
    assert cid_of_raw(b"hello").text == HELLO_RAW
    assert Cid(DAG_PB, hashlib.sha256(b"\x0a\x02\x08\x01").digest()).text == EMPTY_DIRECTORY


@given(cids)
def test_text_and_binary_read_back(cid):
    """SPEC 0.4, 0.13"""
    assert parse_cid(cid.text) == cid_from_binary(cid.binary) == cid
    assert str(cid) == cid.text and len(cid.text) == 59
    assert cid.text.startswith("bafk" if cid.codec == RAW else "bafy")


@given(cids, st.integers(1, 58), st.sampled_from("abcdefghijklmnopqrstuvwxyz234567"))
def test_a_spelling_is_another_cid_or_no_cid(cid, place, letter):
    """SPEC 0.4: base32 leaves spare bits at the end; only one setting of them is accepted."""
    other = cid.text[:place] + letter + cid.text[place + 1 :]
    if other == cid.text:
        return
    with suppress(CidError):
        assert parse_cid(other) != cid


@pytest.mark.parametrize(
    "text",
    [
        "",
        "b",
        EMPTY_RAW.upper(),
        EMPTY_RAW[:-1],
        EMPTY_RAW + "a",
        EMPTY_RAW[:-1] + "v",
        "z" + EMPTY_RAW[1:],
        "QmdfTbBqBPQ7VNxZEYEj14VmRuZBkqFbiwReogJgS1zR1n",
        "../" + EMPTY_RAW[3:],
        EMPTY_RAW[:-1] + "=",
        EMPTY_RAW[:-1] + "é",
        "b" + base64.b32encode(b"\x01\x71\x12\x20" + bytes(32)).decode().lower().rstrip("="),
        "b" + base64.b32encode(b"\x01\x55\x13\x20" + bytes(32)).decode().lower().rstrip("="),
        "b" + base64.b32encode(b"\x02\x55\x12\x20" + bytes(32)).decode().lower().rstrip("="),
    ],
)
def test_everything_else_is_refused(text):
    """SPEC 0.4, 0.13: other versions, codecs, hashes, bases and spellings."""
    with pytest.raises(CidError):
        parse_cid(text)


@pytest.mark.parametrize(("codec", "digest"), [(0x71, bytes(32)), (RAW, bytes(31)), (DAG_PB, bytes(33))])
def test_a_cid_cannot_be_made_of_anything_else(codec, digest):
    """SPEC 0.13"""
    with pytest.raises(CidError):
        Cid(codec, digest)
