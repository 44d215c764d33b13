"""Keys and values of one sequence, in memory that is its own while it runs.

Where they lie depends on the sequence's length alone (`kv_lanes`), and so does how a decode step reads them:
keys lie without a hole, as the attention reads them fastest.
"""

from __future__ import annotations

import weakref
from dataclasses import dataclass

import torch

from inference_worker.engine.kv_lanes import Lane, LanePool, unbacked


@dataclass(frozen=True)
class KvPiece:
    """Keys and values of consecutive positions, (layers, 2, kv_heads, positions, head_dim)."""

    both: torch.Tensor

    @property
    def positions(self) -> int:
        """How many positions it holds."""
        return self.both.shape[3]


class KvCache:
    """Keys and values of at most `capacity` positions; the first `length` are filled. `lane` is the place in
    a slab, None for a sequence without positions or too long for one."""

    def __init__(self, pool: LanePool, capacity: int) -> None:
        self._pool, self.capacity, self.length = pool, capacity, 0
        self.lane: Lane | None = None
        self._room = torch.empty(0)
        self._positions = 0
        self._leave: weakref.finalize[[int], KvCache] | None = None

    def make_room(self, positions: int) -> None:
        """Be ready for so many more positions, in the place that a sequence of the new length has."""
        stop = self.length + positions
        assert stop <= self.capacity, (stop, self.capacity)
        if stop > self._positions:
            self._move(stop)

    def write(self, layer: int, both: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        """Put keys and values (n, 2, kv_heads, head_dim) at the end of a layer, in the room made for them;
        returns the keys and values so far, (kv_heads, length+n, head_dim) each.

        `length` moves only with `advance`, once every layer is written.
        """
        stop = self.length + both.shape[0]
        room = self._room[layer, :, :, :stop]
        room[:, :, self.length :] = both.permute(1, 2, 0, 3)
        return room[0], room[1]

    def advance(self, positions: int) -> None:
        """Count positions that every layer has written."""
        self.length += positions

    def release(self) -> None:
        """Its place goes with the object; nothing else is held."""

    def copy_out(self, start: int, stop: int) -> KvPiece:
        """A copy of filled positions start..stop."""
        assert stop <= self.length, (stop, self.length)
        return KvPiece(self._room[:, :, :, start:stop].clone())

    def copy_in(self, piece: KvPiece) -> None:
        """Append the positions of a piece."""
        self.make_room(piece.positions)
        stop = self.length + piece.positions
        self._room[:, :, :, self.length : stop] = piece.both
        self.length = stop

    def _move(self, positions: int) -> None:
        before, leave = self._room, self._leave
        self.lane = self._pool.take(positions)
        if self.lane is None:
            self._room, self._leave = unbacked(self._pool.shape, self.capacity), None
        else:
            slab, index = self.lane.slab, self.lane.index
            self._room = slab.lanes[index]
            # A sequence ends by being forgotten, wherever that happens.
            self._leave = weakref.finalize(self, slab.release, index)
            self._leave.atexit = False
        self._positions = self._room.shape[3]
        if self.length:
            self._room[:, :, :, : self.length] = before[:, :, :, : self.length]
        if leave is not None:
            leave()
