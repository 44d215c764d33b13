"""What a step reads, in memory that stays where it is: filled on the host, sent to the device in one copy.

A captured step has these addresses in it. Unused rows read page 0 at position 0 and have no adapter.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from inference_worker.adapters.shape import GROUPS
from inference_worker.engine.device.device_adapter import FIELDS, DeviceAdapter
from inference_worker.engine.device.ops import StepInputs
from inference_worker.engine.device.paged_kv import PagedCache
from inference_worker.engine.device.segments import Segment, segments_of, write_table


@dataclass(frozen=True)
class StepRow:
    """One sequence's part of a step: its last token, whose position is the length of its cache."""

    token: int
    cache: PagedCache
    adapter: DeviceAdapter | None


class StepBuffers:
    """The inputs of steps of at most `rows` rows and `pages` pages a row."""

    def __init__(self, rows: int, pages: int, device: torch.device) -> None:
        self._sizes = _sizes(rows, pages)
        total = sum(size.numel() for size in self._sizes)
        self._host = torch.zeros(total, dtype=torch.int64, pin_memory=device.type == "cuda")
        self._device = torch.zeros(total, dtype=torch.int64, device=device)
        self._tokens, self._positions, self._pages, self._order, self._table = self._parts(self._host)
        self._written: list[tuple[PagedCache, int]] = []
        self._tabled: list[tuple[str, int] | None] = []

    def inputs(self, rows: int, pages: int, segments: Sequence[Segment] = ()) -> StepInputs:
        """Views for a step of so many rows, unused ones included, and pages a row."""
        tokens, positions, listed, order, table = self._parts(self._device)
        return StepInputs(
            tokens[:rows], positions[:rows], listed[:rows, :pages], order[:rows], table[:, :rows], segments
        )

    def fill(self, rows: Sequence[StepRow]) -> tuple[Segment, ...]:
        """Send what these rows need to the device. The step before must have read its own."""
        count, adapters = len(rows), [row.adapter for row in rows]
        self._tokens[:count] = torch.tensor([row.token for row in rows])
        self._positions.zero_()
        self._positions[:count] = torch.tensor([row.cache.length for row in rows])
        self._write_pages(rows)
        segments = segments_of(adapters)
        # Not the adapters themselves: memory of one that was evicted must not be kept from here.
        tabled = [None if a is None else (a.cid, a.tensors.matrices.data_ptr()) for a in adapters]
        if tabled != self._tabled:
            write_table(segments, self._order, self._table)
            self._tabled = tabled
        self._device.copy_(self._host, non_blocking=True)
        return segments

    def _write_pages(self, rows: Sequence[StepRow]) -> None:
        for place, row in enumerate(rows):
            now = (row.cache, len(row.cache.pages))
            if place >= len(self._written) or self._written[place] != now:
                self._pages[place, : now[1]] = torch.tensor(row.cache.pages)
        # The pages of rows that are gone belong to others now, and an unused row writes to its first.
        self._pages[len(rows) : len(self._written)] = 0
        self._written = [(row.cache, len(row.cache.pages)) for row in rows]

    def _parts(self, memory: torch.Tensor) -> list[torch.Tensor]:
        pieces = torch.split(memory, [size.numel() for size in self._sizes])
        return [piece.view(size) for piece, size in zip(pieces, self._sizes, strict=True)]


def _sizes(rows: int, pages: int) -> list[torch.Size]:
    shapes = ((rows,), (rows,), (rows, pages), (rows,), (len(GROUPS), rows, FIELDS))
    return [torch.Size(shape) for shape in shapes]
