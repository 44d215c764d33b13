"""The suffixes of token rows in ascending order, by prefix doubling; a suffix ends where its row ends.

Equal suffixes stand in the order of their places, so the order is a function of the rows alone.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

END = 0
"""The code after the last token of every row; tokens have codes 1 to 65,534."""

FIRST_REACH = 4

Codes = npt.NDArray[np.uint16]
Places = npt.NDArray[np.uint32]
_Wide = npt.NDArray[np.int64]


def suffix_order(codes: Codes) -> Places:
    """Places of all codes but END, by the codes from there to the end of the row, then by place.

    `codes`: shape (n,), every row followed by one END. Memory: about 60 bytes a code while it runs.
    """
    places = np.flatnonzero(codes != END)
    left = _codes_left(codes)
    first = _first_keys(codes)[places]
    turn = np.argsort(first, kind="stable")
    order = places[turn]
    ranks = np.zeros(len(codes), np.int64)
    slots = _rank(order, np.arange(len(order)), first[turn], ranks)
    reach = FIRST_REACH
    while len(slots := slots[left[order[slots]] >= reach]):
        tied = order[slots]
        keys = (ranks[tied] << 32) | ranks[tied + reach]
        turn = np.argsort(keys, kind="stable")
        order[slots] = tied[turn]
        slots = _rank(order, slots, keys[turn], ranks)
        reach *= 2
    return order.astype(np.uint32)


def _codes_left(codes: Codes) -> _Wide:
    """By place, how many codes of its row stand from there on."""
    ends = np.flatnonzero(codes == END)
    lengths = np.diff(ends, prepend=-1)
    return np.repeat(ends, lengths) - np.arange(len(codes))


def _first_keys(codes: Codes) -> npt.NDArray[np.uint64]:
    """By place, its first FIRST_REACH codes as one number, END from the end of the row on."""
    keys = np.zeros(len(codes), np.uint64)
    inside = np.ones(len(codes), bool)
    padded = np.append(codes, np.full(FIRST_REACH, END, np.uint16))
    for ahead in range(FIRST_REACH):
        shifted = padded[ahead : ahead + len(codes)].astype(np.uint64)
        inside &= shifted != END
        keys = (keys << np.uint64(16)) | np.where(inside, shifted, np.uint64(END))
    return keys


def _rank(order: _Wide, slots: _Wide, keys: npt.NDArray[np.generic], ranks: _Wide) -> _Wide:
    """Give the suffixes at `slots`, ascending by `keys`, the rank of the first that equals them (1 is
    lowest); returns the slots that still share a rank.
    """
    new = np.ones(len(slots), bool)
    new[1:] = keys[1:] != keys[:-1]
    firsts = np.flatnonzero(new)
    sizes = np.diff(firsts, append=len(slots))
    ranks[order[slots]] = np.repeat(slots[firsts] + 1, sizes)
    return slots[np.repeat(sizes > 1, sizes)]
