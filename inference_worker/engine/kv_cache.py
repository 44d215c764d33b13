"""Keys and values of one sequence, held in memory of its own, so that nothing can leak from one to another.

Its size is fixed at admission (prompt plus the most it may generate): a running sequence never runs out.
"""

from __future__ import annotations

import torch

from inference_worker.adapters.shape import BaseShape


class KvCache:
    """Keys and values, (layers, kv_heads, capacity, head_dim) each; the first `length` positions are
    filled."""

    def __init__(self, shape: BaseShape, capacity: int) -> None:
        size = (shape.layers, shape.kv_heads, capacity, shape.head_dim)
        self._keys, self._values = torch.empty(size), torch.empty(size)
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
