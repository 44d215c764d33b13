"""An adapter in less memory: its matrices in bf16, or each row of each matrix as int8 with one fp32 scale.

Rounded to nearest, int8 symmetrically, so zero stays zero. Widening is at most one product per number: its
bits depend on nothing else, so an adapter is the same wherever and whenever it is widened. Gains are not
rounded, for they multiply the base's own product.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from typing import Literal

import torch

from inference_worker.adapters.packing import Layout, PackedAdapter, gains_start, matrices_by_group, slices_of
from inference_worker.adapters.shape import GROUPS, BaseShape

PoolDtype = Literal["float32", "bfloat16", "int8"]
_LARGEST = 127


def for_pool(packed: PackedAdapter, shape: BaseShape, dtype: PoolDtype) -> PackedAdapter:
    """An fp32 adapter as a pool of this dtype holds it."""
    if dtype == "float32":
        return packed
    return quantise(packed, shape) if dtype == "int8" else halve(packed, shape)


def halve(packed: PackedAdapter, shape: BaseShape) -> PackedAdapter:
    """The bf16 form of an fp32 adapter."""
    start = gains_start(packed.layout, shape)
    gains = packed.blob[start:].clone() if packed.layout.dora else None
    return replace(packed, blob=packed.blob[:start].bfloat16(), gains=gains)


def quantise(packed: PackedAdapter, shape: BaseShape) -> PackedAdapter:
    """The int8 form of an fp32 adapter."""
    start = gains_start(packed.layout, shape)
    matrices, gains = packed.blob[:start], packed.blob[start:]
    numbers = torch.zeros(start, dtype=torch.int8)
    scales = torch.zeros(shape.layers, _scales_per_layer(packed.layout))
    targets = _by_rows(numbers, scales, packed.layout, shape)
    for (source, scale), (target, _) in zip(
        _by_rows(matrices, scales, packed.layout, shape), targets, strict=True
    ):
        scale.copy_(source.abs().amax(dim=2, keepdim=True) / _LARGEST)
        # A row too small to have a scale becomes zero.
        target.copy_(torch.where(scale > 0, source / scale, 0.0).round().clamp(-_LARGEST, _LARGEST))
    return replace(packed, blob=numbers, scales=scales, gains=gains.clone() if packed.layout.dora else None)


def floats_of(packed: PackedAdapter, shape: BaseShape) -> torch.Tensor:
    """The fp32 blob; a new one where the adapter is held in less."""
    if packed.blob.dtype == torch.float32:
        return packed.blob
    floats = torch.empty(slices_of(packed.layout, shape)[1])
    write_floats(packed, shape, floats)
    return floats


def write_floats(packed: PackedAdapter, shape: BaseShape, out: torch.Tensor) -> None:
    """Write the fp32 blob into `out`, (floats,)."""
    count = packed.blob.numel()
    out[:count].copy_(packed.blob)
    if packed.scales is not None:
        for rows, scale in _by_rows(out[:count], packed.scales, packed.layout, shape):
            rows.mul_(scale)
    if packed.gains is not None:
        out[count:].copy_(packed.gains)


def _by_rows(
    matrices: torch.Tensor, scales: torch.Tensor, layout: Layout, shape: BaseShape
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Views of each matrix over all layers, (layers, rows, columns), with its scales, (layers, rows, 1)."""
    first = 0
    for group in matrices_by_group(matrices, layout, shape).values():
        for matrix in (*group.down.unbind(1), *group.ups):
            yield matrix, scales[:, first : first + layout.rank].unsqueeze(2)
            first += layout.rank


def _scales_per_layer(layout: Layout) -> int:
    return 2 * layout.rank * sum(len(GROUPS[group]) for group in layout.groups)
