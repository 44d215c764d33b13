"""Words, tags and hex: the bytes every digest is made of.

Digests that a contract checks are keccak256 over `abi.encode` of static words, and start with a tag that
says what kind of thing is hashed, so that no leaf can be read as a node. keccak is passed in: the standard
library has none.
"""

import hashlib
from collections.abc import Callable

from protocol.errors import EncodingError

Keccak = Callable[[bytes], bytes]

WORD_BYTES = 32
ZERO_WORD = bytes(WORD_BYTES)
MAX_WORD = 2**256 - 1


def words(*values: int | bytes) -> bytes:
    """abi.encode of static values: unsigned integers left-padded to 32 bytes, `bytes32` as they are."""
    return b"".join(_word(value) for value in values)


def _word(value: int | bytes) -> bytes:
    if isinstance(value, int):
        if not 0 <= value <= MAX_WORD:
            raise EncodingError(f"{value} does not fit an unsigned 256-bit word")
        return value.to_bytes(WORD_BYTES, "big")
    if len(value) != WORD_BYTES:
        raise EncodingError(f"a bytes word has 32 bytes, not {len(value)}")
    return value


def tag(name: str, keccak: Keccak) -> bytes:
    """keccak256("openledger." + name), e.g. TAG_SUM_LEAF = tag("sum_leaf")."""
    return keccak(b"openledger." + name.encode("ascii"))


def address_word(address: str) -> int:
    """An address as the integer of its abi word (uint160)."""
    return int(address, 16)


def sha256(data: bytes) -> bytes:
    """sha2-256, the digest of bytes at rest."""
    return hashlib.sha256(data).digest()


def to_hex(data: bytes) -> str:
    """Lower-case hex with 0x."""
    return "0x" + data.hex()


def from_hex(text: str, size: int) -> bytes:
    """Exactly `size` bytes from "0x" + lower-case hex; upper case is refused: each value has one spelling."""
    if len(text) != 2 + 2 * size or not text.startswith("0x") or not set(text[2:]) <= set("0123456789abcdef"):
        raise EncodingError(f"not 0x and {2 * size} lower-case hex digits: {text[:80]!r}")
    return bytes.fromhex(text[2:])
