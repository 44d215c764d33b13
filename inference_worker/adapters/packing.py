"""Packs a checked adapter into one flat fp32 blob, so that placing it anywhere is a single copy.

Modules that share an input share one `down` matrix. Ranks are padded with zeros to a bucket and the scale
is folded into `up`. The gains of a DoRA adapter follow after all matrices, one where a module has none. Two
adapters of equal `Layout` have equal offsets, so the engine can batch them without looking inside.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import lru_cache

import torch

from inference_worker.adapters.ingest import CheckedAdapter, LoraPair
from inference_worker.adapters.shape import GROUPS, BaseShape

RANK_BUCKETS = (8, 16, 32, 64, 128)
# Offsets are multiples of 16 floats: vector kernels may choose another path, and other bits, off a 64-byte
# line.
_ALIGN = 16
FLOAT_BYTES = 4


@dataclass(frozen=True)
class GroupSlice:
    """Where one module group of one layer lies in the blob: offsets in floats; `outs` are output widths in
    order; `gain` is None without DoRA."""

    down: int
    inputs: int
    ups: tuple[int, ...]
    outs: tuple[int, ...]
    gain: int | None = None


@dataclass(frozen=True)
class Layout:
    """The form of a blob: padded rank, the module groups (indexes of GROUPS) that it holds, and whether gains
    follow."""

    rank: int
    groups: tuple[int, ...]
    dora: bool = False


@dataclass(frozen=True)
class PackedAdapter:
    """An adapter ready to serve, read-only by convention. `blob` is one-dimensional: fp32 and all of it, or
    bf16 or int8 and the matrices alone; beside it then the gains, if any, and with int8 the fp32 scales of
    their rows, (layers, rows of a layer). `invocation` are an aLoRA adapter's tokens, else empty: where they
    are in a prompt is the sequence's matter, so they are no part of the layout."""

    cid: str
    layout: Layout
    blob: torch.Tensor
    scales: torch.Tensor | None = None
    gains: torch.Tensor | None = None
    invocation: tuple[int, ...] = ()

    @property
    def nbytes(self) -> int:
        """Exact size in memory."""
        return sum(t.nbytes for t in (self.blob, self.scales, self.gains) if t is not None)

    @property
    def lane_bytes(self) -> int:
        """What its fp32 numbers take beside a row of the batch, whatever the pool holds it as."""
        gains = 0 if self.gains is None else self.gains.numel()
        return (self.blob.numel() + gains) * FLOAT_BYTES


@lru_cache(maxsize=256)
def slices_of(layout: Layout, shape: BaseShape) -> tuple[tuple[tuple[GroupSlice | None, ...], ...], int]:
    """(slices by layer and group, total floats) of a layout on a base."""
    position, layers = 0, []
    for _ in range(shape.layers):
        row: list[GroupSlice | None] = []
        for group, modules in enumerate(GROUPS):
            slot = _group_slice(position, modules, layout.rank, shape) if group in layout.groups else None
            row.append(slot)
            position = _aligned(slot.ups[-1] + layout.rank * slot.outs[-1]) if slot else position
        layers.append(tuple(row))
    if not layout.dora:
        return tuple(layers), position
    return _with_gains(layers, position)


def _group_slice(start: int, modules: tuple[str, ...], rank: int, shape: BaseShape) -> GroupSlice:
    inputs = shape.dims(modules[0])[0]
    outs = tuple(shape.dims(m)[1] for m in modules)
    position = _aligned(start + len(modules) * rank * inputs)
    ups = []
    for out in outs:
        ups.append(position)
        position = _aligned(position + rank * out)
    return GroupSlice(start, inputs, tuple(ups), outs)


def _with_gains(
    layers: list[tuple[GroupSlice | None, ...]], position: int
) -> tuple[tuple[tuple[GroupSlice | None, ...], ...], int]:
    gained = []
    for slots in layers:
        row: list[GroupSlice | None] = []
        for slot in slots:
            row.append(replace(slot, gain=position) if slot else None)
            position = _aligned(position + sum(slot.outs)) if slot else position
        gained.append(tuple(row))
    return tuple(gained), position


def _aligned(floats: int) -> int:
    return -(-floats // _ALIGN) * _ALIGN


def bucket_of(rank: int) -> int:
    """The smallest bucket that holds a rank."""
    return next(bucket for bucket in RANK_BUCKETS if bucket >= rank)


def layout_of(adapter: CheckedAdapter) -> Layout:
    """The smallest rank bucket and the groups that hold all of the adapter's pairs."""
    rank = bucket_of(max(pair.down.shape[0] for pair in adapter.pairs.values()))
    modules = {module for _, module in adapter.pairs}
    groups = tuple(i for i, names in enumerate(GROUPS) if modules & set(names))
    return Layout(rank, groups, any(pair.gain is not None for pair in adapter.pairs.values()))


def pack(cid: str, adapter: CheckedAdapter, shape: BaseShape) -> PackedAdapter:
    """Copy the pairs into one blob; the matrices of absent modules are zero, their gains one."""
    layout = layout_of(adapter)
    layers, floats = slices_of(layout, shape)
    blob = torch.zeros(floats, dtype=torch.float32)
    if layout.dora:
        blob[gains_start(layout, shape) :] = 1.0
    for (layer, module), pair in adapter.pairs.items():
        group = next(i for i, names in enumerate(GROUPS) if module in names)
        slot = layers[layer][group]
        assert slot is not None, (layer, module)
        _place(blob, slot, GROUPS[group].index(module), layout.rank, pair)
    return PackedAdapter(cid, layout, blob, invocation=adapter.invocation)


@dataclass(frozen=True)
class GroupOverLayers:
    """One module group's matrices in all layers: `down` (layers, modules, rank, inputs), `ups` by module
    (layers, rank, outputs)."""

    down: torch.Tensor
    ups: tuple[torch.Tensor, ...]


def matrices_by_group(blob: torch.Tensor, layout: Layout, shape: BaseShape) -> dict[int, GroupOverLayers]:
    """Views into a blob, or into its matrices alone, by index of GROUPS; no copy."""
    # Every layer has the same offsets from its own start.
    by_layer = blob[: gains_start(layout, shape)].view(shape.layers, -1)
    found = {}
    for group, slot in enumerate(slices_of(layout, shape)[0][0]):
        if slot is None:
            continue
        modules = len(slot.outs)
        down = by_layer[:, slot.down : slot.down + modules * layout.rank * slot.inputs]
        ups = tuple(
            by_layer[:, up : up + layout.rank * out].view(-1, layout.rank, out)
            for up, out in zip(slot.ups, slot.outs, strict=True)
        )
        found[group] = GroupOverLayers(down.view(-1, modules, layout.rank, slot.inputs), ups)
    return found


def gains_start(layout: Layout, shape: BaseShape) -> int:
    """Where the matrices of a blob end and its gains, if any, begin."""
    return slices_of(replace(layout, dora=False), shape)[1]


def _place(blob: torch.Tensor, slot: GroupSlice, member: int, rank: int, pair: LoraPair) -> None:
    own_rank = pair.down.shape[0]
    start = slot.down + member * rank * slot.inputs
    blob[start : start + own_rank * slot.inputs].copy_(pair.down.reshape(-1))
    outputs, start = slot.outs[member], slot.ups[member]
    up = blob[start : start + own_rank * outputs].view(own_rank, outputs)
    torch.mul(pair.up.t(), pair.scale, out=up)
    if pair.gain is not None and slot.gain is not None:
        start = slot.gain + sum(slot.outs[:member])
        blob[start : start + slot.outs[member]].copy_(pair.gain)
