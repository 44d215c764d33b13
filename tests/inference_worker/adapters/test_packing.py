"""Packing: the blob holds exactly the adapter's products, whatever the rank and the modules."""

import pytest
import torch

from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.packing import Layout, layout_of, pack, slices_of
from inference_worker.adapters.shape import GROUPS
from tests.inference_worker.adapters.peft_folders import FINGERPRINT, adapter_files, shape


def checked(**options):
    return ingest(adapter_files(**options), shape(), FINGERPRINT, Caps())


@pytest.mark.parametrize("rank", [1, 3, 8, 9, 33, 64])
@pytest.mark.parametrize(
    "modules", [("q_proj", "v_proj"), ("down_proj",), ("gate_proj", "up_proj", "o_proj")]
)
def test_unpacked_products_equal_the_pairs(rank, modules):
    """SPEC 4.15"""
    adapter = checked(rank=rank, modules=modules)
    packed = pack("cid", adapter, shape())
    layers, floats = slices_of(packed.layout, shape())
    assert packed.blob.numel() == floats
    for layer in range(3):
        for group, names in enumerate(GROUPS):
            slot = layers[layer][group]
            assert (slot is not None) == bool(set(names) & set(modules))
            for member, name in enumerate(names if slot else ()):
                start = slot.down + member * packed.layout.rank * slot.inputs
                down = packed.blob[start : start + packed.layout.rank * slot.inputs].view(-1, slot.inputs)
                up = packed.blob[slot.ups[member] :][: packed.layout.rank * slot.outs[member]]
                product = up.view(packed.layout.rank, -1).t() @ down
                pair = adapter.pairs.get((layer, name))
                expected = pair.scale * pair.up @ pair.down if pair else torch.zeros_like(product)
                assert torch.allclose(product, expected, atol=1e-5)


def test_ranges_of_a_layout_are_aligned_and_disjoint():
    """SPEC 4.13: equal alignment keeps the kernels, and so the bits, equal in every lane."""
    layout = Layout(8, (0, 1, 2, 3))
    layers, floats = slices_of(layout, shape())
    spans = []
    for slot in (s for row in layers for s in row):
        spans.append((slot.down, slot.down + len(slot.outs) * 8 * slot.inputs))
        spans += [(up, up + 8 * out) for up, out in zip(slot.ups, slot.outs, strict=True)]
    assert all(start % 16 == 0 for start, _ in spans) and floats % 16 == 0
    assert all(stop <= start for (_, stop), (start, _) in zip(sorted(spans), sorted(spans)[1:], strict=False))


def test_bytes_are_those_of_the_blob():
    """SPEC 4.9"""
    packed = pack("cid", checked(rank=8), shape())
    assert packed.nbytes == packed.blob.numel() * packed.blob.element_size()
    assert layout_of(checked(rank=9)).rank == 16
