"""The layout of sign bits that the scan reads: 128 rows side by side, word by word.

Word j of 128 rows lies together, so that a CPU counts the bits of as many rows as its registers hold with
one instruction and never adds across a register. Bits that stand for no row or no coordinate are zero.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from protocol.index_pages import TILE_ROWS as TILE_ROWS
from protocol.index_pages import WORD_BITS

Words = npt.NDArray[np.uint64]
Magnitudes = npt.NDArray[np.uint16]


def words_of(width: int) -> int:
    """Words of 64 bits that hold `width` bits."""
    return -(-width // WORD_BITS)


def tiles_of(rows: int) -> int:
    """Tiles that hold `rows` rows."""
    return -(-rows // TILE_ROWS)


def tile_bits(bits: npt.NDArray[np.uint8]) -> Words:
    """Packed signs (rows, bytes) as words (tiles, words, TILE_ROWS)."""
    rows, size = bits.shape
    words = words_of(8 * size)
    padded = np.zeros((tiles_of(rows) * TILE_ROWS, 8 * words), dtype=np.uint8)
    padded[:rows, :size] = bits
    by_row = padded.view("<u8").reshape(-1, TILE_ROWS, words)
    return np.ascontiguousarray(by_row.transpose(0, 2, 1))


def untile_bits(words: Words, rows: int, size: int) -> npt.NDArray[np.uint8]:
    """The packed signs (rows, size) that `tile_bits` laid out."""
    by_row = np.ascontiguousarray(words.transpose(0, 2, 1)).reshape(-1, words.shape[1])
    return by_row.view(np.uint8)[:rows, :size]


def tile_magnitudes(magnitude: Magnitudes) -> Magnitudes:
    """Magnitudes (rows,) as (tiles, TILE_ROWS), zero where there is no row."""
    padded = np.zeros(tiles_of(len(magnitude)) * TILE_ROWS, dtype=np.uint16)
    padded[: len(magnitude)] = magnitude
    return padded.reshape(-1, TILE_ROWS)


def bit_planes(code: npt.NDArray[np.int8]) -> Words:
    """A code in two's complement as words (words, 8): plane b holds bit b of every coordinate, in the order
    of the rows' packed signs.
    """
    padded = np.zeros(words_of(len(code)) * WORD_BITS, dtype=np.uint8)
    padded[: len(code)] = code.view(np.uint8)
    planes = [np.packbits((padded >> bit) & 1).view("<u8") for bit in range(8)]
    return np.stack(planes, axis=1)
