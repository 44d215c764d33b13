"""Decides which lane of a batch holds which adapter, with as few copies as possible.

Pure and torch-free. A lane is one row of an arena; the rows of a step must fill the lanes from zero without
a hole, because a product over a contiguous run of lanes needs no gather.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class LanePlan:
    """`rows[i]` is the index in `wanted` that lane i serves; `copies` are the (lane, adapter id) to write
    first."""

    rows: tuple[int, ...]
    copies: tuple[tuple[int, str], ...]


def assign_lanes(held: Sequence[str | None], wanted: Sequence[str]) -> LanePlan:
    """Fill lanes 0..len(wanted)-1 with the wanted adapters, keeping what already lies there.

    `held[i]` is the adapter in lane i now, None if empty; lanes beyond its length are empty.
    """
    waiting: dict[str, list[int]] = {}
    for index in reversed(range(len(wanted))):
        waiting.setdefault(wanted[index], []).append(index)
    lanes: list[int | None] = [None] * len(wanted)
    for lane in range(min(len(held), len(wanted))):
        cid = held[lane]
        if cid is not None and waiting.get(cid):
            lanes[lane] = waiting[cid].pop()
    left = sorted(index for indexes in waiting.values() for index in indexes)
    empty = [lane for lane, index in enumerate(lanes) if index is None]
    filled = dict(zip(empty, left, strict=True))
    rows = tuple(filled[lane] if index is None else index for lane, index in enumerate(lanes))
    return LanePlan(rows, tuple((lane, wanted[index]) for lane, index in filled.items()))


def shared_ids(wanted: Sequence[str], threshold: int) -> frozenset[str]:
    """Adapters with at least `threshold` rows in a step: cheaper read in place than copied to a lane a
    row."""
    return frozenset(cid for cid, rows in Counter(wanted).items() if rows >= threshold)
