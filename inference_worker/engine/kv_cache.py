"""Keys and values of one sequence, in a range of memory of its own, so that nothing can leak between two.

The range has room for all positions that the sequence may ever fill, but costs memory only as it fills: the
operating system backs it page by page, zeroed, and takes it back as a whole. So keys lie without a hole, as
the attention reads them fastest, and a sequence that grows is never moved.
"""

from __future__ import annotations

import mmap
from dataclasses import dataclass

import torch

from inference_worker.adapters.shape import BaseShape

_FLOAT_BYTES = 4


@dataclass(frozen=True)
class KvPiece:
    """Keys and values of consecutive positions, (layers, kv_heads, positions, head_dim) each."""

    keys: torch.Tensor
    values: torch.Tensor

    @property
    def positions(self) -> int:
        """How many positions it holds."""
        return self.keys.shape[2]


class KvCache:
    """Keys and values, (layers, kv_heads, capacity, head_dim) each; the first `length` positions are filled
    and no other is ever read."""

    def __init__(self, shape: BaseShape, capacity: int) -> None:
        size = (shape.layers, shape.kv_heads, capacity, shape.head_dim)
        self._keys, self._values = _unbacked(size), _unbacked(size)
        self.capacity, self.length = capacity, 0

    def write(
        self, layer: int, keys: torch.Tensor, values: torch.Tensor
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Put (n, kv_heads, head_dim) at the end of a layer; returns all so far, (kv_heads, length+n,
        head_dim).

        `length` moves only with `advance`, once every layer is written.
        """
        stop = self.length + keys.shape[0]
        assert stop <= self.capacity, (stop, self.capacity)
        self._keys[layer, :, self.length : stop] = keys.transpose(0, 1)
        self._values[layer, :, self.length : stop] = values.transpose(0, 1)
        return self._keys[layer, :, :stop], self._values[layer, :, :stop]

    def advance(self, positions: int) -> None:
        """Count positions that every layer has written."""
        self.length += positions

    def copy_out(self, start: int, stop: int) -> KvPiece:
        """A copy of filled positions start..stop."""
        assert stop <= self.length, (stop, self.length)
        return KvPiece(self._keys[:, :, start:stop].clone(), self._values[:, :, start:stop].clone())

    def copy_in(self, piece: KvPiece) -> None:
        """Append the positions of a piece."""
        stop = self.length + piece.positions
        assert stop <= self.capacity, (stop, self.capacity)
        self._keys[:, :, self.length : stop] = piece.keys
        self._values[:, :, self.length : stop] = piece.values
        self.length = stop


def _unbacked(size: tuple[int, ...]) -> torch.Tensor:
    """Zeros that take no memory until they are written."""
    floats = torch.Size(size).numel()
    memory = mmap.mmap(-1, floats * _FLOAT_BYTES, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    if hasattr(mmap, "MADV_NOHUGEPAGE"):
        # A huge page would back the unwritten positions of many heads along with the first written one.
        memory.madvise(mmap.MADV_NOHUGEPAGE)
    return torch.frombuffer(memory, dtype=torch.float32).view(size)
