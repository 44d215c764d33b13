"""Entries of the kernels' table against plain views of the same adapter."""

import pytest
import torch

from inference_worker.adapters.packing import Layout, PackedAdapter, slices_of
from inference_worker.adapters.quantised import floats_of, for_pool
from inference_worker.adapters.shape import GROUPS
from inference_worker.engine.device.device_adapter import Field, device_bytes, placed, tensors_of, view_of
from tests.inference_worker.adapters.peft_folders import shape

LAYOUTS = [
    Layout(8, (0, 1, 2, 3)),
    Layout(16, (0, 2)),
    Layout(8, (1, 3), True),
    Layout(64, (0, 1, 2, 3), True),
    Layout(128, (3,)),
]
POOLS = ["float32", "bfloat16", "int8"]


def random_adapter(layout, seed=0, cid="a"):
    generator = torch.Generator().manual_seed(seed)
    blob = torch.randn(slices_of(layout, shape())[1], generator=generator)
    return PackedAdapter(cid, layout, blob / layout.rank**0.5)


def on_cpu(layout, pool, seed=0, cid="a"):
    tensors = tensors_of(random_adapter(layout, seed, cid), shape(), pool)
    return placed(cid, layout, tensors, shape())


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("pool", POOLS)
def test_entries_point_at_the_matrices_of_every_layer(layout, pool):
    """SPEC 4.189"""
    adapter = on_cpu(layout, pool)
    item = adapter.tensors.matrices.element_size()
    for group, entry in enumerate(adapter.entry.tolist()):
        assert (entry[Field.RANK] == layout.rank) == (group in layout.groups)
        for layer in range(shape().layers):
            view = view_of(adapter, shape(), layer, group)
            if view is None:
                assert not any(entry)
                continue
            start = entry[Field.MATRICES] + entry[Field.MATRICES_LAYER] * layer * item
            assert start + entry[Field.DOWN] * item == view.down.data_ptr()
            for member, up in enumerate(view.ups):
                assert start + entry[Field.UP_0 + member] * item == up.data_ptr()
            for field, step, part in (
                (Field.GAINS, Field.GAINS_LAYER, view.gain),
                (Field.SCALES, Field.SCALES_LAYER, view.scales),
            ):
                there = entry[field] and entry[field] + 4 * entry[step] * layer
                assert there == (0 if part is None else part.data_ptr())


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("pool", POOLS)
def test_views_hold_what_the_adapter_holds(layout, pool):
    """SPEC 4.189: widened, with the scales of an int8 pool in one place for both matrices."""
    adapter = on_cpu(layout, pool)
    floats = floats_of(for_pool(random_adapter(layout), shape(), pool), shape())
    layers, _ = slices_of(layout, shape())
    for layer, groups in enumerate(layers):
        for group, slot in enumerate(groups):
            view = view_of(adapter, shape(), layer, group)
            if slot is None:
                assert view is None
                continue
            inner = len(GROUPS[group]) * layout.rank
            down = floats[slot.down : slot.down + inner * slot.inputs].view(inner, slot.inputs)
            scales = torch.ones(inner) if view.scales is None else view.scales
            for member, (up, out) in enumerate(zip(slot.ups, slot.outs, strict=True)):
                mine = slice(member * layout.rank, (member + 1) * layout.rank)
                exact = down[mine].t() @ floats[up : up + layout.rank * out].view(layout.rank, out)
                ours = (view.down[mine].float().t() * scales[mine]) @ view.ups[member].float()
                assert torch.allclose(ours, exact, atol=1e-4)
            if layout.dora:
                assert torch.equal(view.gain, floats[slot.gain : slot.gain + sum(slot.outs)])


@pytest.mark.parametrize("layout", LAYOUTS, ids=str)
@pytest.mark.parametrize("pool", POOLS)
def test_bytes_are_known_before(layout, pool):
    """SPEC 4.190"""
    tensors = tensors_of(random_adapter(layout), shape(), pool)
    assert device_bytes(layout, shape(), pool) == sum(t.nbytes for t in tensors if t is not None)
