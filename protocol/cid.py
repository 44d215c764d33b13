"""Content identifiers: CIDv1 with sha2-256, of raw blocks and dag-pb nodes, in base32 and nothing else.

One content has one spelling here. `parse_cid` re-encodes what it read and compares, so that a CID may
safely become a key or a path.
"""

import base64
import binascii
from dataclasses import dataclass

from protocol.errors import CidError
from protocol.hashing import sha256

RAW = 0x55
DAG_PB = 0x70
CODECS = (RAW, DAG_PB)

_VERSION = 0x01
_SHA2_256 = b"\x12\x20"
_BINARY_BYTES = 36
_TEXT_CHARS = 59


@dataclass(frozen=True, slots=True)
class Cid:
    """A codec and the sha2-256 digest of the block."""

    codec: int
    digest: bytes

    def __post_init__(self) -> None:
        if self.codec not in CODECS or len(self.digest) != 32:
            raise CidError(f"codec {self.codec:#x} with a digest of {len(self.digest)} bytes")

    @property
    def text(self) -> str:
        """Base32 multibase: "bafk…" for raw, "bafy…" for dag-pb."""
        return "b" + base64.b32encode(self.binary).decode("ascii").lower().rstrip("=")

    @property
    def binary(self) -> bytes:
        """The 36 bytes that contracts and links store."""
        return bytes((_VERSION, self.codec)) + _SHA2_256 + self.digest

    def __str__(self) -> str:
        return self.text


def cid_of_raw(data: bytes) -> Cid:
    """The CID of one raw block."""
    return Cid(RAW, sha256(data))


def parse_cid(text: str) -> Cid:
    """The CID this text spells; CidError for any other version, codec, hash, base or spelling."""
    if len(text) != _TEXT_CHARS or not text.startswith("b"):
        raise CidError(f"not a base32 CIDv1: {text[:80]!r}")
    try:
        binary = base64.b32decode(text[1:].upper() + "=" * (-len(text[1:]) % 8))
    except (binascii.Error, ValueError) as error:
        raise CidError(f"not base32: {text!r}") from error
    cid = cid_from_binary(binary)
    if cid.text != text:
        raise CidError(f"{text!r} is not the canonical spelling of {cid.text}")
    return cid


def cid_from_binary(binary: bytes) -> Cid:
    """The inverse of `Cid.binary`."""
    if len(binary) != _BINARY_BYTES or binary[0] != _VERSION or binary[2:4] != _SHA2_256:
        raise CidError(f"not a binary CIDv1 with sha2-256: {binary[:40].hex()}")
    return Cid(binary[1], binary[4:])
