"""Memory for the keys and values of sequences: equal lanes in slabs for short ones, a range of its own for a
long one.

Short sequences of like length lie in one slab, so that one call reads them all; they move to a slab of
longer lanes as they grow. All memory is anonymous: the operating system backs it page by page, zeroed, as it
is written, and takes a lane back when its sequence leaves. So nothing can leak between two sequences, and
what a lane's sequence has not written is zero.
"""

from __future__ import annotations

import heapq
import mmap
import sys
from dataclasses import dataclass

import torch

from inference_worker.adapters.shape import BaseShape

# Lengths of lanes, in positions. Doubling, a sequence is copied less than once; beyond the last, calls for
# many sequences cost as much as calls for each.
LANE_POSITIONS = (32, 64, 128, 256)
SLAB_LANES = 32
_FLOAT_BYTES = 4


def unbacked(shape: BaseShape, positions: int) -> torch.Tensor:
    """Zeros (layers, 2, kv_heads, positions, head_dim), keys before values, that take no memory until they
    are written."""
    size = _room_size(shape, positions)
    return _floats(_map(size.numel() * _FLOAT_BYTES)).view(size)


class LaneSlab:
    """SLAB_LANES lanes of `positions` each; `lanes` is (lanes, layers, 2, kv_heads, positions, head_dim)."""

    def __init__(self, shape: BaseShape, positions: int) -> None:
        self.positions = positions
        layers, *size = _room_size(shape, positions)
        floats = torch.Size(size).numel()
        self._stride = -(-floats * _FLOAT_BYTES // mmap.PAGESIZE) * mmap.PAGESIZE
        self._memory = _map(layers * SLAB_LANES * self._stride)
        # By layer, for a call reads one layer of all lanes.
        flat = _floats(self._memory).view(layers, SLAB_LANES, -1)
        self.lanes = flat[:, :, :floats].view(layers, SLAB_LANES, *size).transpose(0, 1)
        self._free = list(range(SLAB_LANES))

    @property
    def is_full(self) -> bool:
        """Whether no lane is free."""
        return not self._free

    def take(self) -> int:
        """The first free lane: lanes in use stay close, for calls run over all between the outermost."""
        return heapq.heappop(self._free)

    def release(self, lane: int) -> None:
        """Give a lane and its memory back."""
        if sys.platform == "linux":
            for place in range(lane, self.lanes.shape[1] * SLAB_LANES, SLAB_LANES):
                self._memory.madvise(mmap.MADV_DONTNEED, place * self._stride, self._stride)
        else:
            self.lanes[lane].zero_()
        heapq.heappush(self._free, lane)


@dataclass(frozen=True)
class Lane:
    """One sequence's place in a slab."""

    slab: LaneSlab
    index: int


class LanePool:
    """The slabs of one worker, made as they are needed."""

    def __init__(self, shape: BaseShape) -> None:
        self.shape = shape
        self._slabs: dict[int, list[LaneSlab]] = {positions: [] for positions in LANE_POSITIONS}

    def take(self, positions: int) -> Lane | None:
        """A lane of the least length that holds so many positions; None where no lane is so long."""
        length = next((length for length in LANE_POSITIONS if length >= positions), None)
        if length is None:
            return None
        slabs = self._slabs[length]
        slab = next((slab for slab in slabs if not slab.is_full), None)
        if slab is None:
            slab = LaneSlab(self.shape, length)
            slabs.append(slab)
        return Lane(slab, slab.take())


def _room_size(shape: BaseShape, positions: int) -> torch.Size:
    return torch.Size((shape.layers, 2, shape.kv_heads, positions, shape.head_dim))


def _floats(memory: mmap.mmap) -> torch.Tensor:
    # Made in inference mode, it could not be written outside of it, where pieces are copied in.
    with torch.inference_mode(False):
        return torch.frombuffer(memory, dtype=torch.float32)


def _map(length: int) -> mmap.mmap:
    memory = mmap.mmap(-1, length, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        # A huge page would back the unwritten positions of many heads along with the first written one.
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return memory
