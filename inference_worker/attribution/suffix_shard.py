"""One shard of the suffix index: token rows, the order of their suffixes, and what is found by bisection.

A shard knows its rows by ordinal and digest, never by their index in a version: the same file serves every
version that has those rows. Its arrays may lie in memory or be mapped from a file.
"""

from __future__ import annotations

from array import array
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference_worker.attribution.suffix_array import END, Codes, Places, suffix_order
from inference_worker.errors import SpanIndexTooLarge

MAX_SHARD_TOKENS = 1 << 22
"""Row ends included; a longer row has a shard of its own, up to MAX_ROW_TOKENS."""

MAX_ROW_TOKENS = 1 << 25
MAX_ALPHABET = (1 << 16) - 2
UNKNOWN = (1 << 16) - 1
BLOCK = 1024
CODE_BYTES = 2


@dataclass(frozen=True)
class Shard:
    """`text`: every row's codes and one END, big-endian, so that bytes compare as codes do. `order`: see
    `suffix_order`. `lows`: least place of each BLOCK of `order`. `alphabet`: token ids, ascending; code 1
    is the first. `ends`: places of the row ends.
    """

    text: memoryview
    order: Places
    lows: Places
    alphabet: Places
    ends: npt.NDArray[np.int64]

    @property
    def rows(self) -> int:
        """How many rows it holds."""
        return len(self.ends)

    @property
    def tokens(self) -> int:
        """How many tokens its rows have."""
        return len(self.order)

    def pattern(self, output: Sequence[int]) -> bytes:
        """The output's codes as `text` has them; tokens that no row has are UNKNOWN."""
        ids = np.asarray(output, np.int64)
        at = np.searchsorted(self.alphabet, ids)
        known = at < len(self.alphabet)
        known[known] = self.alphabet[at[known]] == ids[known]
        return np.where(known, at + 1, UNKNOWN).astype(">u2").tobytes()

    def reaches(self, pattern: bytes) -> list[int]:
        """For each output place, the end of the longest match from there: never falling, in tokens."""
        places, found, end = self.order.data, [], 0
        for start in range(len(pattern) // CODE_BYTES):
            end = max(end, start)
            wanted = pattern[start * CODE_BYTES :]
            at = bisect_left(places, wanted, key=self._reader(len(wanted)))
            for neighbour in places[max(at - 1, 0) : at + 1]:
                end = max(end, start + self._common(neighbour, wanted, end - start))
            found.append(end)
        return found

    def lowest(self, wanted: bytes) -> tuple[int, int] | None:
        """(row ordinal, place in the row) of the first occurrence of these codes; None if there is none."""
        places, size = self.order.data, len(wanted)
        low = bisect_left(places, wanted, key=self._reader(size))
        high = bisect_right(places, wanted, lo=low, key=self._reader(size))
        if low == high:
            return None
        place = self._least(low, high)
        row = int(np.searchsorted(self.ends, place))
        return row, place - (int(self.ends[row - 1]) + 1 if row else 0)

    def _reader(self, size: int) -> Callable[[int], bytes]:
        """What reads `size` bytes of text from a place on."""
        text = self.text
        return lambda place: text[place * CODE_BYTES : place * CODE_BYTES + size].tobytes()

    def _common(self, place: int, wanted: bytes, least: int) -> int:
        """How many codes agree; the caller's `least` are compared at once."""
        here = self._reader(len(wanted))(place)
        if here[: least * CODE_BYTES] != wanted[: least * CODE_BYTES]:
            return 0
        count, limit = least * CODE_BYTES, min(len(here), len(wanted))
        while count < limit and here[count : count + CODE_BYTES] == wanted[count : count + CODE_BYTES]:
            count += CODE_BYTES
        return count // CODE_BYTES

    def _least(self, low: int, high: int) -> int:
        first, last = -(-low // BLOCK), high // BLOCK
        if first >= last:
            return int(self.order[low:high].min())
        edges = self.order[low : first * BLOCK], self.order[last * BLOCK : high], self.lows[first:last]
        return min(int(part.min()) for part in edges if len(part))


def build_shard(rows: Sequence[Sequence[int]]) -> Shard:
    """A shard of token rows (ids are uint32), in the order given.

    Raises SpanIndexTooLarge before anything is allocated for more than one row above MAX_SHARD_TOKENS.
    """
    size = sum(map(len, rows)) + len(rows)
    allowed = MAX_SHARD_TOKENS if len(rows) > 1 else MAX_ROW_TOKENS
    if size > allowed:
        raise SpanIndexTooLarge("tokens of a shard", allowed, size)
    flat = array("I")
    for row in rows:
        flat.extend(row)
    alphabet, inverse = np.unique(np.frombuffer(flat, np.uint32), return_inverse=True)
    if len(alphabet) > MAX_ALPHABET:
        raise SpanIndexTooLarge("distinct tokens of a shard", MAX_ALPHABET, len(alphabet))
    ends = np.cumsum([len(row) + 1 for row in rows], dtype=np.int64) - 1
    codes: Codes = np.full(size, END, np.uint16)
    inside = np.ones(size, bool)
    inside[ends] = False
    codes[inside] = inverse + 1
    return shard_of(memoryview(codes.astype(">u2").tobytes()), suffix_order(codes), alphabet)


def shard_of(text: memoryview, order: Places, alphabet: Places) -> Shard:
    """The shard of a text and its order; what is quick to find anew is found anew."""
    ends = np.flatnonzero(np.frombuffer(text, ">u2") == END)
    lows = np.minimum.reduceat(order, np.arange(0, len(order), BLOCK)) if len(order) else order
    return Shard(text, order, lows, alphabet, ends)
