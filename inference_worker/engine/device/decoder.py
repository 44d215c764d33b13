"""The forward pass on a device: one decode step of n rows, and one piece of a prompt.

The decode step reads and writes tensors that stay where they are, asks the host for nothing, and has no shape
that depends on data; so it can be captured once and replayed. It is the same code that runs uncaptured.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import torch
import torch.nn.functional as F

from inference_worker.engine.device.device_adapter import DeviceAdapter, view_of
from inference_worker.engine.device.ops import Ops, StepInputs, adapt_rows
from inference_worker.engine.device.paged_kv import PagedCache, PagedKv
from inference_worker.engine.device.place import to_device
from inference_worker.engine.weights import BaseWeights

QKV, OUTPUT, GATE_UP, DOWN = range(4)

_Attend = Callable[[int, torch.Tensor], torch.Tensor]
_Adapt = Callable[[int, int, torch.Tensor, torch.Tensor], None]


@dataclass(frozen=True)
class Decoder:
    """One base, its keys and values, and one way to compute what is between the base's products."""

    weights: BaseWeights
    kv: PagedKv
    ops: Ops

    def step(self, inputs: StepInputs) -> torch.Tensor:
        """One token further for each row: logits (n, vocab) fp32."""
        slots = inputs.slots

        def attend(layer: int, fused: torch.Tensor) -> torch.Tensor:
            queries = self.ops.rotate_and_store(fused, inputs.positions, slots, self.kv, layer)
            return self.ops.attend(queries, self.kv, inputs, layer)

        def adapt(layer: int, group: int, rows: torch.Tensor, products: torch.Tensor) -> None:
            self.ops.adapt(layer, group, rows, products, inputs)

        return self._logits(*self._layers(inputs.tokens, attend, adapt))

    def prefill(
        self, tokens: torch.Tensor, cache: PagedCache, adapter: DeviceAdapter | None, adapted_from: int
    ) -> torch.Tensor:
        """Fill the cache's next positions with these tokens, of which the adapter has those from the index
        `adapted_from` on; logits after the last one, (vocab,) fp32."""
        shape, device = self.weights.shape, tokens.device
        start, stop = cache.length, cache.length + len(tokens)
        positions = torch.arange(start, stop, device=device)
        slots = to_device(cache.slots(0, stop), device)

        def attend(layer: int, fused: torch.Tensor) -> torch.Tensor:
            queries = self.ops.rotate_and_store(fused, positions, slots[start:], self.kv, layer)
            keys, values = self.kv.keys[layer, slots], self.kv.values[layer, slots]
            return _attend_piece(queries, keys, values)

        def adapt(layer: int, group: int, rows: torch.Tensor, products: torch.Tensor) -> None:
            if adapter is not None:
                view = view_of(adapter, shape, layer, group)
                adapt_rows(view, rows[adapted_from:], products[adapted_from:])

        hidden, delta = self._layers(tokens, attend, adapt)
        return self._logits(hidden[-1:].contiguous(), delta[-1:].contiguous())[0]

    def _layers(
        self, tokens: torch.Tensor, attend: _Attend, adapt: _Adapt
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """The residual rows before the last product was added, fp32, and that product."""
        hidden, delta = self.weights.embedding[tokens], None

        def product(layer: int, group: int, rows: torch.Tensor) -> torch.Tensor:
            out = self.weights.layers[layer].products[group](rows)
            adapt(layer, group, rows, out)
            return out

        for index, layer in enumerate(self.weights.layers):
            fused = product(index, QKV, self.ops.norm(hidden, delta, layer.attention_norm))
            delta = product(index, OUTPUT, attend(index, fused))
            both = product(index, GATE_UP, self.ops.norm(hidden, delta, layer.mlp_norm))
            delta = product(index, DOWN, self.ops.gate(both))
        assert delta is not None, "a base without layers"
        return hidden, delta

    def _logits(self, hidden: torch.Tensor, delta: torch.Tensor) -> torch.Tensor:
        return self.weights.head(self.ops.norm(hidden, delta, self.weights.final_norm)).float()


def _attend_piece(queries: torch.Tensor, keys: torch.Tensor, values: torch.Tensor) -> torch.Tensor:
    """Attention of the last positions (n, heads, dim) over all (total, kv_heads, dim) before and at them."""
    count, total = len(queries), len(keys)
    mask = None
    if count < total:
        mask = torch.ones(count, total, dtype=torch.bool, device=keys.device).tril(total - count)
    mixed = F.scaled_dot_product_attention(
        queries.transpose(0, 1).unsqueeze(0),
        keys.transpose(0, 1).unsqueeze(0),
        values.transpose(0, 1).unsqueeze(0),
        attn_mask=mask,
        is_causal=mask is None and count > 1,
        enable_gqa=True,
    )
    return mixed[0].transpose(0, 1).flatten(1)
