"""The parts of a step that a device computes its own way, and their plain form, which says what they mean.

`TorchOps` is the reference: row by row, page by page, in fp32. It runs everywhere and is fast nowhere; the
kernels of `triton_ops` are held against it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

import torch
import torch.nn.functional as F

from inference_worker.adapters.shape import BaseShape
from inference_worker.engine.device.device_adapter import GroupView, view_of
from inference_worker.engine.device.paged_kv import PagedKv
from inference_worker.engine.device.segments import Segment
from inference_worker.engine.pages import PAGE_POSITIONS


@dataclass(frozen=True)
class StepInputs:
    """What a decode step of n rows reads, int64: `tokens` and `positions` (n,), `pages` (n, most pages),
    `order` (n,) and `table` (groups, n, FIELDS) of the segments. The kernels read the tensors alone, so that
    a captured step sees what they hold when it runs; the reference reads `segments`."""

    tokens: torch.Tensor
    positions: torch.Tensor
    pages: torch.Tensor
    order: torch.Tensor
    table: torch.Tensor
    segments: Sequence[Segment] = ()

    @property
    def slots(self) -> torch.Tensor:
        """Where each row's keys and values go, (n,)."""
        page = self.pages.gather(1, (self.positions // PAGE_POSITIONS).unsqueeze(1)).squeeze(1)
        return page * PAGE_POSITIONS + self.positions % PAGE_POSITIONS


class Ops(Protocol):
    """One way to compute what is not a matrix product of the base. `name` enters the profile id. A row's
    result depends on that row alone; rows go in and come out in the compute dtype, sums are fp32."""

    name: str

    def norm(self, hidden: torch.Tensor, delta: torch.Tensor | None, gain: torch.Tensor) -> torch.Tensor:
        """Add `delta` to `hidden` (n, width), fp32, in place; returns its RMS norm times `gain`."""

    def rotate_and_store(
        self, fused: torch.Tensor, positions: torch.Tensor, slots: torch.Tensor, kv: PagedKv, layer: int
    ) -> torch.Tensor:
        """From fused products (n, (heads + 2 kv_heads) * head_dim) store rotated keys, and values, in their
        slots; returns rotated queries (n, heads, head_dim)."""

    def attend(self, queries: torch.Tensor, kv: PagedKv, inputs: StepInputs, layer: int) -> torch.Tensor:
        """Each row's attention over positions 0 to its own, (n, heads * head_dim)."""

    def gate(self, both: torch.Tensor) -> torch.Tensor:
        """silu of the left half times the right half, (n, intermediate)."""

    def adapt(
        self, layer: int, group: int, rows: torch.Tensor, products: torch.Tensor, inputs: StepInputs
    ) -> None:
        """Turn the base's products (n, sum of outs) of rows (n, inputs) into their adapters', in place."""


class TorchOps:
    """See Ops."""

    name = "torch"

    def __init__(self, shape: BaseShape, device: torch.device, dtype: torch.dtype) -> None:
        self._shape, self._dtype = shape, dtype
        self._cos, self._sin = (table.to(device) for table in rotary_tables(shape))

    def norm(self, hidden: torch.Tensor, delta: torch.Tensor | None, gain: torch.Tensor) -> torch.Tensor:
        """See Ops."""
        if delta is not None:
            hidden += delta.float()
        return F.rms_norm(hidden, (hidden.shape[1],), gain, self._shape.eps).to(self._dtype)

    def rotate_and_store(
        self, fused: torch.Tensor, positions: torch.Tensor, slots: torch.Tensor, kv: PagedKv, layer: int
    ) -> torch.Tensor:
        """See Ops."""
        shape = self._shape
        heads = fused.view(len(fused), -1, shape.head_dim)
        turned = heads[:, : shape.heads + shape.kv_heads].float()
        first, second = turned.chunk(2, dim=-1)
        cos, sin = self._cos[positions].unsqueeze(1), self._sin[positions].unsqueeze(1)
        turned = (turned * cos + torch.cat([-second, first], dim=-1) * sin).to(self._dtype)
        kv.keys[layer, slots] = turned[:, shape.heads :]
        kv.values[layer, slots] = heads[:, shape.heads + shape.kv_heads :]
        return turned[:, : shape.heads].contiguous()

    def attend(self, queries: torch.Tensor, kv: PagedKv, inputs: StepInputs, layer: int) -> torch.Tensor:
        """See Ops."""
        mixed = torch.empty_like(queries)
        for row, position in enumerate(inputs.positions.tolist()):
            places = torch.arange(position + 1, device=queries.device)
            slots = inputs.pages[row, places // PAGE_POSITIONS] * PAGE_POSITIONS + places % PAGE_POSITIONS
            # The heads that share keys stand as rows of one query: no repetition of keys, no mask.
            grouped = queries[row].view(1, self._shape.kv_heads, -1, self._shape.head_dim)
            keys, values = (t[layer, slots].transpose(0, 1).unsqueeze(0) for t in (kv.keys, kv.values))
            mixed[row] = F.scaled_dot_product_attention(grouped, keys, values).view_as(queries[row])
        return mixed.flatten(1)

    def gate(self, both: torch.Tensor) -> torch.Tensor:
        """See Ops."""
        left, right = both.chunk(2, dim=1)
        return (F.silu(left.float()) * right.float()).to(self._dtype)

    def adapt(
        self, layer: int, group: int, rows: torch.Tensor, products: torch.Tensor, inputs: StepInputs
    ) -> None:
        """See Ops."""
        for segment in inputs.segments:
            view = view_of(segment.adapter, self._shape, layer, group)
            for row in segment.rows if view is not None else ():
                adapt_rows(view, rows[row : row + 1], products[row : row + 1])


def adapt_rows(view: GroupView | None, rows: torch.Tensor, products: torch.Tensor) -> None:
    """Turn base products of rows that all have one adapter into that adapter's, in place."""
    if view is None:
        return
    inner, column = rows.float() @ view.down.float().t(), 0
    if view.scales is not None:
        inner = inner * view.scales
    sums = products.float()
    for member, up in enumerate(view.ups):
        rank, out = up.shape
        sums[:, column : column + out] += inner[:, member * rank : (member + 1) * rank] @ up.float()
        column += out
    products.copy_(sums if view.gain is None else sums * view.gain)


def rotary_tables(shape: BaseShape) -> tuple[torch.Tensor, torch.Tensor]:
    """Cosines and sines, (positions, head_dim) fp32 each; both halves of a row are alike."""
    exponents = torch.arange(0, shape.head_dim, 2, dtype=torch.int64).float() / shape.head_dim
    angles = torch.arange(shape.positions).float().unsqueeze(1) / shape.rope_theta**exponents
    both = torch.cat([angles, angles], dim=1)
    return both.cos(), both.sin()
