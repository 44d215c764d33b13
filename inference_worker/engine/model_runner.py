"""The forward pass of a plain Llama, fp32: prefill of one sequence, or one decode step of many.

Attention reads a sequence's own keys and values in a way that its own length decides; everything else is row
by row. So a row's bits do not depend on which other rows share its step (with the packed kernel of `linear`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
import torch.nn.functional as F

from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.shape import BaseShape
from inference_worker.engine.decode_attention import DecodeAttention
from inference_worker.engine.kv_cache import KvCache
from inference_worker.engine.kv_lanes import LanePool
from inference_worker.engine.linear import Linear
from inference_worker.engine.lora_batch import LoraBatcher, adapt_sequence
from inference_worker.engine.runner import DecodeRow
from inference_worker.engine.weights import BaseWeights

QKV, OUTPUT, GATE_UP, DOWN = range(4)

_Adapt = Callable[[int, int, torch.Tensor, torch.Tensor], None]
_Attend = Callable[[int, torch.Tensor, torch.Tensor], torch.Tensor]


class ModelRunner:
    """Runs the base with any mix of adapters. One thread at a time."""

    def __init__(self, weights: BaseWeights) -> None:
        self._weights, self.shape = weights, weights.shape
        self._batcher, self._lanes = LoraBatcher(weights.shape), LanePool(weights.shape)
        self._cos, self._sin = _rotary_tables(weights.shape)

    def new_cache(self, capacity: int) -> KvCache:
        """An empty cache for a sequence of at most `capacity` positions."""
        return KvCache(self._lanes, capacity)

    def lane_bytes(self, adapter: PackedAdapter) -> int:
        """What the adapter's fp32 numbers take beside a row."""
        return adapter.lane_bytes

    def prefetch(self, adapter: PackedAdapter) -> bool:
        """An adapter in memory is near enough."""
        return True

    def idle(self) -> None:
        """Release what only a running batch needs."""
        self._batcher.forget_unused()

    @torch.inference_mode()
    def prefill(
        self, tokens: Sequence[int], cache: KvCache, adapter: PackedAdapter | None, adapted_from: int = 0
    ) -> torch.Tensor:
        """Append a piece of one prompt to its cache; returns the logits after its last token, (vocab,).

        The tokens before the index `adapted_from` of the piece are the base's.
        """
        positions = torch.arange(cache.length, cache.length + len(tokens))
        cache.make_room(len(tokens))

        def attend(layer: int, queries: torch.Tensor, both: torch.Tensor) -> torch.Tensor:
            keys, values = cache.write(layer, both)
            return self._attend_piece(queries, keys, values)

        adapt = _from(adapted_from, adapt_sequence(adapter, self.shape)) if adapter else None
        hidden = self._layers(torch.tensor(list(tokens)), positions, attend, adapt)
        cache.advance(len(tokens))
        return self._logits(hidden[-1:])[0]

    @torch.inference_mode()
    def decode(self, rows: Sequence[DecodeRow[KvCache]]) -> torch.Tensor:
        """One token further for each row; returns (rows, vocab) logits in the caller's order."""
        plan = self._batcher.plan([row.adapter for row in rows])
        ordered = [rows[i] for i in plan.order]
        attend = DecodeAttention([row.cache for row in ordered])
        positions = torch.tensor([row.cache.length for row in ordered])
        adapt = plan.add if plan.runs else None
        hidden = self._layers(torch.tensor([row.token for row in ordered]), positions, attend, adapt)
        for row in ordered:
            row.cache.advance(1)
        # Back in the caller's order before the head, for a batch's logits are megabytes.
        return self._logits(hidden[torch.tensor(plan.order).argsort()])

    def _layers(
        self, tokens: torch.Tensor, positions: torch.Tensor, attend: _Attend, adapt: _Adapt | None
    ) -> torch.Tensor:
        shape, hidden = self.shape, self._weights.embedding[tokens]
        cos, sin = self._cos[positions].unsqueeze(1), self._sin[positions].unsqueeze(1)
        for index, layer in enumerate(self._weights.layers):
            product = _adapted(layer.products, index, adapt)
            fused = product(QKV, self._norm(hidden, layer.attention_norm))
            heads = fused.view(len(positions), -1, shape.head_dim)
            _rotate(heads[:, : shape.heads + shape.kv_heads], cos, sin)
            both = heads[:, shape.heads :].view(-1, 2, shape.kv_heads, shape.head_dim)
            mixed = attend(index, heads[:, : shape.heads], both)
            hidden = hidden + product(OUTPUT, mixed.flatten(1))
            gate_up = product(GATE_UP, self._norm(hidden, layer.mlp_norm))
            gate, up = gate_up[:, : shape.intermediate], gate_up[:, shape.intermediate :]
            hidden = hidden + product(DOWN, F.silu(gate).mul_(up))
        return hidden

    def _attend_piece(self, queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
        count, total = queries.shape[0], keys.shape[1]
        mask = None
        if count < total:
            mask = torch.ones(count, total, dtype=torch.bool).tril(total - count)
        mixed = F.scaled_dot_product_attention(
            queries.transpose(0, 1).unsqueeze(0),
            keys.unsqueeze(0),
            values.unsqueeze(0),
            attn_mask=mask,
            is_causal=mask is None and count > 1,
            enable_gqa=True,
        )
        return mixed[0].transpose(0, 1)

    def _norm(self, rows: torch.Tensor, gain: torch.Tensor) -> torch.Tensor:
        # The bits of `F.rms_norm` at half its cost: its general form runs more operators.
        squares = (rows * rows).mean(dim=1, keepdim=True)
        return rows * squares.add_(self.shape.eps).rsqrt_() * gain

    def _logits(self, hidden: torch.Tensor) -> torch.Tensor:
        return self._weights.head(self._norm(hidden, self._weights.final_norm))


def _adapted(
    products: tuple[Linear, ...], layer: int, adapt: _Adapt | None
) -> Callable[[int, torch.Tensor], torch.Tensor]:
    def product(group: int, rows: torch.Tensor) -> torch.Tensor:
        out = products[group](rows)
        if adapt is not None:
            adapt(layer, group, rows, out)
        return out

    return product


def _from(first: int, adapt: _Adapt) -> _Adapt:
    def adapt_last(layer: int, group: int, rows: torch.Tensor, products: torch.Tensor) -> None:
        adapt(layer, group, rows[first:], products[first:])

    return adapt_last if first else adapt


def _rotary_tables(shape: BaseShape) -> tuple[torch.Tensor, torch.Tensor]:
    exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.int64).float() / shape.head_dim
    frequencies = 1.0 / (shape.rope_theta**exponents)
    angles = torch.arange(shape.positions).float().unsqueeze(1) * frequencies
    # The sine's first half is negative, for that half takes its partner away.
    cos, sin = angles.cos(), angles.sin()
    return torch.cat([cos, cos], dim=1), torch.cat([-sin, sin], dim=1)


def _rotate(heads: torch.Tensor, cos: torch.Tensor, sin: torch.Tensor) -> None:
    """Turn (rows, heads, head_dim) in place."""
    first, second = heads.chunk(2, dim=-1)
    partners = torch.cat([second, first], dim=-1)
    heads.mul_(cos).addcmul_(partners, sin)
