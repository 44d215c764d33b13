"""Packs a checked adapter into one flat fp32 blob, so that placing it anywhere is a single copy.

Modules that share an input share one `down` matrix. Ranks are padded with zeros to a bucket and the scale
is folded into `up`. Two adapters of equal `Layout` have equal offsets, so the engine can batch them without
looking inside.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import torch

from inference_worker.adapters.ingest import CheckedAdapter, LoraPair
from inference_worker.adapters.shape import GROUPS, BaseShape

RANK_BUCKETS = (8, 16, 32, 64)
# Offsets are multiples of 16 floats: vector kernels may choose another path, and other bits, off a 64-byte
# line.
_ALIGN = 16
FLOAT_BYTES = 4


@dataclass(frozen=True)
class GroupSlice:
    """Where one module group of one layer lies in the blob: offsets in floats; `outs` are output widths in
    order."""

    down: int
    inputs: int
    ups: tuple[int, ...]
    outs: tuple[int, ...]


@dataclass(frozen=True)
class Layout:
    """The form of a blob: padded rank and the module groups (indexes of GROUPS) that it holds."""

    rank: int
    groups: tuple[int, ...]


@dataclass(frozen=True)
class PackedAdapter:
    """An adapter ready to serve; `blob` is one-dimensional fp32 and read-only by convention."""

    cid: str
    layout: Layout
    blob: torch.Tensor

    @property
    def nbytes(self) -> int:
        """Exact size in memory."""
        return self.blob.numel() * FLOAT_BYTES


@lru_cache(maxsize=256)
def slices_of(layout: Layout, shape: BaseShape) -> tuple[tuple[tuple[GroupSlice | None, ...], ...], int]:
    """(slices by layer and group, total floats) of a layout on a base."""
    position, layers = 0, []
    for _ in range(shape.layers):
        row: list[GroupSlice | None] = []
        for group, modules in enumerate(GROUPS):
            if group not in layout.groups:
                row.append(None)
                continue
            inputs = shape.dims(modules[0])[0]
            outs = tuple(shape.dims(m)[1] for m in modules)
            down, position = position, _aligned(position + len(modules) * layout.rank * inputs)
            ups = []
            for out in outs:
                ups.append(position)
                position = _aligned(position + layout.rank * out)
            row.append(GroupSlice(down, inputs, tuple(ups), outs))
        layers.append(tuple(row))
    return tuple(layers), position


def _aligned(floats: int) -> int:
    return -(-floats // _ALIGN) * _ALIGN


def layout_of(adapter: CheckedAdapter) -> Layout:
    """The smallest rank bucket and the groups that hold all of the adapter's pairs."""
    rank = max(pair.down.shape[0] for pair in adapter.pairs.values())
    bucket = next(b for b in RANK_BUCKETS if b >= rank)
    modules = {module for _, module in adapter.pairs}
    return Layout(bucket, tuple(i for i, names in enumerate(GROUPS) if modules & set(names)))


def pack(cid: str, adapter: CheckedAdapter, shape: BaseShape) -> PackedAdapter:
    """Copy the pairs into one zero-initialised blob; absent modules stay zero."""
    layout = layout_of(adapter)
    layers, floats = slices_of(layout, shape)
    blob = torch.zeros(floats, dtype=torch.float32)
    for (layer, module), pair in adapter.pairs.items():
        group = next(i for i, names in enumerate(GROUPS) if module in names)
        slot = layers[layer][group]
        assert slot is not None, (layer, module)
        _place(blob, slot, GROUPS[group].index(module), layout.rank, pair)
    return PackedAdapter(cid, layout, blob)


def _place(blob: torch.Tensor, slot: GroupSlice, member: int, rank: int, pair: LoraPair) -> None:
    own_rank = pair.down.shape[0]
    start = slot.down + member * rank * slot.inputs
    blob[start : start + own_rank * slot.inputs].copy_(pair.down.reshape(-1))
    up = (pair.up * pair.scale).t().contiguous()
    start = slot.ups[member]
    blob[start : start + up.numel()].copy_(up.reshape(-1))
