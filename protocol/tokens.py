"""Token ids as chunks of 32, the unit a contract can check a span against: 32 uint32, big-endian, in four
words."""

import struct
from collections.abc import Sequence

from protocol.errors import EncodingError
from protocol.hashing import WORD_BYTES, Keccak, tag, words
from protocol.merkle import root
from protocol.types import MAX_UINT32

CHUNK_IDS = 32
CHUNK_BYTES = 4 * CHUNK_IDS


def token_chunks(ids: Sequence[int]) -> tuple[bytes, ...]:
    """The ids in chunks of 128 bytes, the last one padded with zeros; no chunk for no ids."""
    if ids and not (min(ids) >= 0 and max(ids) <= MAX_UINT32):
        raise EncodingError(f"token ids are uint32, found {min(ids)} to {max(ids)}")
    packed = struct.pack(f">{len(ids)}I", *ids)
    return tuple(
        packed[at : at + CHUNK_BYTES].ljust(CHUNK_BYTES, b"\0") for at in range(0, len(packed), CHUNK_BYTES)
    )


def sequence_root(ids: Sequence[int], keccak: Keccak) -> bytes:
    """Digest of one token sequence: the tree over its chunks, bound to the count of ids."""
    leaves = [output_chunk_leaf(chunk, keccak) for chunk in token_chunks(ids)]
    return keccak(words(tag("output", keccak), root(leaves, keccak), len(ids)))


def row_chunks_root(rows: Sequence[Sequence[int]], keccak: Keccak) -> tuple[bytes, int]:
    """(root, count) over the chunks of a version's rows in order; each binds its row, place and length."""
    leaves = [
        row_chunk_leaf(row, place, len(ids), chunk, keccak)
        for row, ids in enumerate(rows)
        for place, chunk in enumerate(token_chunks(ids))
    ]
    return root(leaves, keccak), len(leaves)


def output_chunk_leaf(chunk: bytes, keccak: Keccak) -> bytes:
    """The payload of one chunk in a sequence's tree."""
    return keccak(words(tag("chunk", keccak), *chunk_words(chunk)))


def row_chunk_leaf(row: int, place: int, length: int, chunk: bytes, keccak: Keccak) -> bytes:
    """The payload of chunk `place` of a row of `length` tokens in a version's tree."""
    return keccak(words(tag("row_chunk", keccak), row, place, length, *chunk_words(chunk)))


def chunk_words(chunk: bytes) -> tuple[bytes, ...]:
    """A chunk as the four words that a contract takes."""
    return tuple(chunk[at : at + WORD_BYTES] for at in range(0, CHUNK_BYTES, WORD_BYTES))
