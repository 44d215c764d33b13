"""An adapter as the device's kernels read it: its tensors, where in them each matrix lies, and plain views.

Nothing here computes. Every layer has the same offsets from its own start, so one entry for each module group
tells a kernel where the matrices of all layers are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from enum import IntEnum

import torch

from inference_worker.adapters.packing import FLOAT_BYTES, Layout, PackedAdapter, gains_start, slices_of
from inference_worker.adapters.quantised import PoolDtype, for_pool
from inference_worker.adapters.shape import GROUPS, BaseShape

POOL_DTYPES = {"float32": torch.float32, "bfloat16": torch.bfloat16, "int8": torch.int8}


class Field(IntEnum):
    """What an entry holds. Addresses are of layer 0; all else is counted in elements, `*_LAYER` from one
    layer to the next. A COUNT of 0 is an unused entry, an address of 0 an absent tensor."""

    FIRST = 0
    COUNT = 1
    RANK = 2
    MATRICES = 3
    MATRICES_LAYER = 4
    DOWN = 5
    UP_0 = 6
    UP_1 = 7
    UP_2 = 8
    GAINS = 9
    GAINS_LAYER = 10
    SCALES = 11
    SCALES_LAYER = 12


FIELDS = 16


@dataclass(frozen=True)
class AdapterTensors:
    """`matrices` is one-dimensional, in the pool's dtype; `gains` fp32 or None; `scales` (layers, inner) fp32
    or None: what the product with each row of a `down` is worth, `inner` counting the groups' rows."""

    matrices: torch.Tensor
    gains: torch.Tensor | None
    scales: torch.Tensor | None

    def __iter__(self) -> Iterator[torch.Tensor | None]:
        return iter((self.matrices, self.gains, self.scales))


@dataclass(frozen=True)
class DeviceAdapter:
    """`entry` is (groups, FIELDS) int64 on the host, FIRST and COUNT zero."""

    cid: str
    layout: Layout
    tensors: AdapterTensors
    entry: torch.Tensor


@dataclass(frozen=True)
class GroupView:
    """One module group of one layer, as views: `down` (inner, inputs), `ups` (rank, out) each, in the pool's
    dtype; `scales` (inner,) and `gain` (sum of outs,) fp32 or None."""

    down: torch.Tensor
    ups: tuple[torch.Tensor, ...]
    scales: torch.Tensor | None
    gain: torch.Tensor | None


def tensors_of(packed: PackedAdapter, shape: BaseShape, pool: PoolDtype) -> AdapterTensors:
    """The adapter's tensors in the pool's dtype, where they lie now."""
    held = packed if packed.blob.dtype == POOL_DTYPES[pool] else for_pool(packed, shape, pool)
    start = gains_start(held.layout, shape)
    gains = held.gains
    if held.layout.dora and gains is None:
        gains = held.blob[start:]
    return AdapterTensors(held.blob[:start], gains, _merged(held))


def device_bytes(layout: Layout, shape: BaseShape, pool: PoolDtype) -> int:
    """What the tensors of such an adapter take."""
    start, floats = gains_start(layout, shape), slices_of(layout, shape)[1]
    inner = shape.layers * layout.rank * sum(len(GROUPS[group]) for group in layout.groups)
    beside = floats - start + (inner if pool == "int8" else 0)
    return start * POOL_DTYPES[pool].itemsize + beside * FLOAT_BYTES


def placed(cid: str, layout: Layout, tensors: AdapterTensors, shape: BaseShape) -> DeviceAdapter:
    """The adapter whose tensors lie where they will be read."""
    entry = torch.zeros(len(GROUPS), FIELDS, dtype=torch.int64)
    for group, fields in _fields(layout, tensors, shape).items():
        for field, value in fields.items():
            entry[group, field] = value
    return DeviceAdapter(cid, layout, tensors, entry)


def view_of(adapter: DeviceAdapter, shape: BaseShape, layer: int, group: int) -> GroupView | None:
    """What the entry points at, for one layer; None where the group is not adapted."""
    layout, tensors = adapter.layout, adapter.tensors
    slot = slices_of(layout, shape)[0][layer][group]
    if slot is None:
        return None
    inner, before = len(slot.outs) * layout.rank, _inner_before(layout, group)
    ups = tuple(
        tensors.matrices[up : up + layout.rank * out].view(layout.rank, out)
        for up, out in zip(slot.ups, slot.outs, strict=True)
    )
    gain = None
    if tensors.gains is not None and slot.gain is not None:
        first = slot.gain - gains_start(layout, shape)
        gain = tensors.gains[first : first + sum(slot.outs)]
    return GroupView(
        tensors.matrices[slot.down : slot.down + inner * slot.inputs].view(inner, slot.inputs),
        ups,
        None if tensors.scales is None else tensors.scales[layer, before : before + inner],
        gain,
    )


def _fields(layout: Layout, tensors: AdapterTensors, shape: BaseShape) -> dict[int, dict[Field, int]]:
    start, found = gains_start(layout, shape), dict[int, dict[Field, int]]()
    for group in layout.groups:
        slot = slices_of(layout, shape)[0][0][group]
        assert slot is not None, (layout, group)
        fields = found[group] = {
            Field.RANK: layout.rank,
            Field.MATRICES: tensors.matrices.data_ptr(),
            Field.MATRICES_LAYER: start // shape.layers,
            Field.DOWN: slot.down,
        }
        for member, up in enumerate(slot.ups):
            fields[Field(Field.UP_0 + member)] = up
        if tensors.gains is not None and slot.gain is not None:
            fields[Field.GAINS] = tensors.gains.data_ptr() + (slot.gain - start) * FLOAT_BYTES
            fields[Field.GAINS_LAYER] = tensors.gains.numel() // shape.layers
        if tensors.scales is not None:
            fields[Field.SCALES] = tensors.scales.data_ptr() + _inner_before(layout, group) * FLOAT_BYTES
            fields[Field.SCALES_LAYER] = tensors.scales.shape[1]
    return found


def _inner_before(layout: Layout, group: int) -> int:
    return layout.rank * sum(len(GROUPS[g]) for g in layout.groups if g < group)


def _merged(packed: PackedAdapter) -> torch.Tensor | None:
    """A row of `down` and the row of `up` that it meets have one scale each; only their product matters."""
    if packed.scales is None:
        return None
    merged, first = [], 0
    for group in packed.layout.groups:
        inner = len(GROUPS[group]) * packed.layout.rank
        down, up = packed.scales[:, first : first + 2 * inner].chunk(2, dim=1)
        merged.append(down * up)
        first += 2 * inner
    return torch.cat(merged, dim=1)
