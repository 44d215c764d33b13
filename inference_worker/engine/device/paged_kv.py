"""Keys and values of all sequences in pages of one device tensor, found through a list of pages for each.

Page 0 belongs to nobody: rows that only fill up a captured step write there. Which sequence may have how many
pages is the scheduler's account; here they are handed out and taken back.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch

from inference_worker.adapters.shape import BaseShape
from inference_worker.engine.device.device_adapter import DeviceAdapter
from inference_worker.engine.device.place import to_device
from inference_worker.engine.pages import PAGE_POSITIONS, pages_for


class PagesGone(Exception):
    """More pages were asked for than the account allows: a fault of ours."""

    def __init__(self, wanted: int, free: int) -> None:
        super().__init__(f"{wanted} pages wanted, {free} free")
        self.wanted, self.free = wanted, free


class PagedKv:
    """`keys` and `values` are (layers, slots, kv_heads, head_dim); slot p * PAGE_POSITIONS + i is position i
    of page p."""

    def __init__(self, shape: BaseShape, pages: int, device: torch.device, dtype: torch.dtype) -> None:
        size = (shape.layers, (pages + 1) * PAGE_POSITIONS, shape.kv_heads, shape.head_dim)
        self.keys = torch.zeros(size, dtype=dtype, device=device)
        self.values = torch.zeros(size, dtype=dtype, device=device)
        self._free = list(range(pages, 0, -1))

    @property
    def free(self) -> int:
        """Pages that nobody has."""
        return len(self._free)

    def take(self, count: int) -> list[int]:
        """So many pages; raises PagesGone."""
        if count > len(self._free):
            raise PagesGone(count, len(self._free))
        return [self._free.pop() for _ in range(count)]

    def give_back(self, pages: list[int]) -> None:
        """Take pages back; what lies in them is written anew before it is read."""
        self._free += pages


@dataclass
class PagedPiece:
    """Kept positions, in pages of their own, given back when nobody knows of the piece any more."""

    kv: PagedKv
    pages: list[int]
    positions: int

    def __del__(self) -> None:
        self.kv.give_back(self.pages)


class PagedCache:
    """The pages of one sequence; the first `length` positions are filled and no other is ever read."""

    def __init__(self, kv: PagedKv, capacity: int) -> None:
        self._kv, self.pages = kv, list[int]()
        self.capacity, self.length = capacity, 0
        # What the sequence runs with beside its pages, held until it ends.
        self.adapter: DeviceAdapter | None = None
        self._on_release: Callable[[], None] | None = None

    def on_release(self, call: Callable[[], None]) -> None:
        """Call once when the sequence ends: what it holds beside its pages."""
        self._on_release = call

    def reserve(self, positions: int) -> None:
        """Have pages for so many positions."""
        assert positions <= self.capacity, (positions, self.capacity)
        self.pages += self._kv.take(max(0, pages_for(positions) - len(self.pages)))

    def slots(self, start: int, stop: int) -> torch.Tensor:
        """Slots of positions start..stop, (stop - start,) int64 on the host."""
        places = torch.arange(start, stop)
        return torch.tensor(self.pages)[places // PAGE_POSITIONS] * PAGE_POSITIONS + places % PAGE_POSITIONS

    def advance(self, positions: int) -> None:
        """Count positions that every layer has written."""
        self.length += positions

    def copy_out(self, start: int, stop: int) -> PagedPiece:
        """A copy of filled positions start..stop in other pages."""
        assert stop <= self.length, (stop, self.length)
        piece = PagedPiece(self._kv, self._kv.take(pages_for(stop - start)), stop - start)
        self._copy(self.slots(start, stop), _slots_of(piece))
        return piece

    def copy_in(self, piece: PagedPiece) -> None:
        """Append the positions of a piece."""
        stop = self.length + piece.positions
        self.reserve(stop)
        self._copy(_slots_of(piece), self.slots(self.length, stop))
        self.length = stop

    def release(self) -> None:
        """Give all pages back; the sequence runs no more."""
        self._kv.give_back(self.pages)
        self.pages, self.length = [], 0
        if self._on_release is not None:
            self._on_release()
            self.adapter = self._on_release = None

    def _copy(self, source: torch.Tensor, target: torch.Tensor) -> None:
        kv = self._kv
        source, target = (to_device(slots, kv.keys.device) for slots in (source, target))
        kv.keys[:, target] = kv.keys[:, source]
        kv.values[:, target] = kv.values[:, source]


def _slots_of(piece: PagedPiece) -> torch.Tensor:
    first = torch.tensor(piece.pages).unsqueeze(1) * PAGE_POSITIONS
    return (first + torch.arange(PAGE_POSITIONS)).flatten()[: piece.positions]
