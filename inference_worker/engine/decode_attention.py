"""Attention of a decode step: one call for all rows whose keys lie in the same slab, one for each longer row.

A row's call depends on its own length alone: in a slab the kernel sees every lane as a problem of its own, of
the lane's whole length, with the positions that are not filled masked; their keys and values are zeros. So
neither neighbours nor their number change a row's bits.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from inference_worker.engine.kv_cache import KvCache
from inference_worker.engine.kv_lanes import LaneSlab

# Consecutive places as a slice, which costs no copy, others one by one.
_Places = slice | torch.Tensor


@dataclass(frozen=True)
class _SlabRows:
    """Rows of the batch in one slab, and what one call for them reads: the `window` of lanes from the first
    to the last of theirs, for each lane there the row whose query it `reads` (any, where the lane has no row
    here), where in the window the rows' answers are, and the `mask` (lanes, 1, 1, positions)."""

    slab: LaneSlab
    rows: _Places
    lanes: torch.Tensor
    positions: torch.Tensor
    window: slice
    reads: _Places
    answers: _Places
    mask: torch.Tensor


class DecodeAttention:
    """The attention of one step of these caches, in the order of the rows; room is made for one position
    each."""

    def __init__(self, caches: Sequence[KvCache]) -> None:
        by_slab: dict[LaneSlab, list[int]] = {}
        self._alone: list[tuple[int, KvCache]] = []
        for row, cache in enumerate(caches):
            cache.make_room(1)
            if cache.lane is None:
                self._alone.append((row, cache))
            else:
                by_slab.setdefault(cache.lane.slab, []).append(row)
        self._slabs = [_slab_rows(slab, rows, caches) for slab, rows in by_slab.items()]

    def __call__(self, layer: int, queries: torch.Tensor, both: torch.Tensor) -> torch.Tensor:
        """Store keys and values (rows, 2, kv_heads, head_dim) and mix values for the queries (rows, heads,
        head_dim)."""
        # The heads that share keys stand as rows of one query: no repetition of keys.
        grouped = queries.view(queries.shape[0], both.shape[2], -1, queries.shape[2])
        mixed = torch.empty(grouped.shape)
        for part in self._slabs:
            _attend_slab(part, layer, grouped, both, mixed)
        for row, cache in self._alone:
            place = slice(row, row + 1)
            keys, values = cache.write(layer, both[place])
            mixed[place] = F.scaled_dot_product_attention(
                grouped[place], keys.unsqueeze(0), values.unsqueeze(0)
            )
        return mixed.flatten(1, 2)


def _attend_slab(
    part: _SlabRows, layer: int, grouped: torch.Tensor, both: torch.Tensor, mixed: torch.Tensor
) -> None:
    room = part.slab.lanes[:, layer]
    room[part.lanes, :, :, part.positions] = both[part.rows]
    lanes = room[part.window]
    answers = F.scaled_dot_product_attention(
        grouped[part.reads], lanes[:, 0], lanes[:, 1], attn_mask=part.mask
    )
    mixed[part.rows] = answers[part.answers]


def _slab_rows(slab: LaneSlab, rows: list[int], caches: Sequence[KvCache]) -> _SlabRows:
    lanes = [lane.index for row in rows if (lane := caches[row].lane)]
    first, count = min(lanes), max(lanes) + 1 - min(lanes)
    reads, filled = [rows[0]] * count, [slab.positions] * count
    for row, place in zip(rows, lanes, strict=True):
        reads[place - first], filled[place - first] = row, caches[row].length + 1
    beyond = torch.arange(slab.positions) >= torch.tensor(filled).unsqueeze(1)
    mask = torch.zeros(beyond.shape).masked_fill_(beyond, float("-inf")).view(count, 1, 1, -1)
    positions = torch.tensor([caches[row].length for row in rows])
    answers = _places([place - first for place in lanes])
    window = slice(first, first + count)
    return _SlabRows(
        slab, _places(rows), torch.tensor(lanes), positions, window, _places(reads), answers, mask
    )


def _places(places: list[int]) -> _Places:
    start, stop = places[0], places[0] + len(places)
    return slice(start, stop) if places == list(range(start, stop)) else torch.tensor(places)
