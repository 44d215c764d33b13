"""Tells the adapter kernels which rows of a step have which adapter, as one table of whole numbers.

Rows of one adapter form segments, so that its matrices are read once for all of them. A row of the base is in
no segment: nothing is looked up for it, and no index can point at a stranger's adapter. The table's size
depends on the number of rows alone, so a captured step can read it whatever it says.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from inference_worker.engine.device.device_adapter import DeviceAdapter, Field

# Rows that share one reading of the matrices. More of them in a segment would leave processors idle.
SEGMENT_ROWS = 8


@dataclass(frozen=True)
class Segment:
    """Rows of a step, at most SEGMENT_ROWS, that have one adapter."""

    rows: tuple[int, ...]
    adapter: DeviceAdapter


def segments_of(adapters: Sequence[DeviceAdapter | None]) -> tuple[Segment, ...]:
    """The segments of a step whose rows have these adapters; None is the base."""
    rows: dict[str, list[int]] = {}
    by_cid: dict[str, DeviceAdapter] = {}
    for row, adapter in enumerate(adapters):
        if adapter is not None:
            by_cid[adapter.cid] = adapter
            rows.setdefault(adapter.cid, []).append(row)
    return tuple(
        Segment(tuple(mine[start : start + SEGMENT_ROWS]), by_cid[cid])
        for cid, mine in rows.items()
        for start in range(0, len(mine), SEGMENT_ROWS)
    )


def write_table(segments: Sequence[Segment], order: torch.Tensor, table: torch.Tensor) -> None:
    """Fill `order` (n,), the rows by segment, and `table` (groups, n, FIELDS), both int64 on the host."""
    table.zero_()
    first = 0
    for place, segment in enumerate(segments):
        count = len(segment.rows)
        order[first : first + count] = torch.tensor(segment.rows)
        table[:, place] = segment.adapter.entry
        # A group that the adapter lacks has rank 0, so its rows are left as they are.
        table[:, place, Field.FIRST], table[:, place, Field.COUNT] = first, count
        first += count
