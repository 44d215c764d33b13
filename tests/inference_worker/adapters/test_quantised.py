"""The int8 pool: a quarter of the bytes, an error that is known, and one way to widen."""

import pytest
import torch

from inference_worker.adapters.base_rows import BaseRows
from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.packing import gains_start, pack, slices_of
from inference_worker.adapters.quantised import floats_of, for_pool, quantise, write_floats
from tests.inference_worker.adapters.peft_folders import FINGERPRINT, adapter_files, shape, write_base
from tests.inference_worker.adapters.peft_saved import saved_by_peft


def packed(named=None, base=None, **options):
    return pack("cid", ingest(named or adapter_files(**options), shape(), FINGERPRINT, Caps(), base), shape())


@pytest.fixture(scope="module")
def dora(tmp_path_factory):
    folder = write_base(tmp_path_factory.mktemp("base"))
    named = saved_by_peft(folder, tmp_path_factory.mktemp("dora"), rank=5, use_dora=True)
    return packed(named, BaseRows(folder / "model.safetensors"))


def naive_rows(adapter):
    """(start, stop) of every row of every matrix, from the layout's slices."""
    layers, _ = slices_of(adapter.layout, shape())
    rank = adapter.layout.rank
    for slot in (s for row in layers for s in row if s):
        starts = [(slot.down + i * slot.inputs, slot.inputs) for i in range(len(slot.outs) * rank)]
        for up, out in zip(slot.ups, slot.outs, strict=True):
            starts += [(up + i * out, out) for i in range(rank)]
        yield from ((start, start + width) for start, width in starts)


@pytest.mark.parametrize(
    "options", [{"rank": 8}, {"rank": 3, "modules": ("k_proj", "down_proj")}, {"rank": 64}]
)
def test_each_row_is_within_half_a_step_of_what_it_was(options):
    """SPEC 4.91"""
    exact = packed(**options)
    widened = floats_of(quantise(exact, shape()), shape())
    assert widened.shape == exact.blob.shape
    covered = torch.zeros_like(exact.blob)
    for start, stop in naive_rows(exact):
        row = exact.blob[start:stop]
        step = row.abs().max() / 127
        assert (widened[start:stop] - row).abs().max() <= step * 0.5001
        covered[start:stop] = 1
    assert not bool(widened[covered == 0].any())


def test_gains_are_kept_exactly(dora):
    """SPEC 4.91"""
    start = gains_start(dora.layout, shape())
    widened = floats_of(quantise(dora, shape()), shape())
    assert torch.equal(widened[start:], dora.blob[start:])
    assert not torch.equal(widened[:start], dora.blob[:start])


def test_a_lane_takes_the_widened_bytes(dora):
    """SPEC 4.128, 4.91: whatever the pool holds, the step computes with fp32."""
    exact = packed(rank=8)
    for one in (exact, quantise(exact, shape()), dora, quantise(dora, shape())):
        assert one.lane_bytes == floats_of(one, shape()).nbytes


def test_widening_anywhere_gives_the_same_bits(dora):
    """SPEC 4.91"""
    small = quantise(dora, shape())
    lanes = torch.full((3, dora.blob.numel()), float("nan"))
    write_floats(small, shape(), lanes[1])
    assert torch.equal(lanes[1], floats_of(small, shape()))
    assert bool(lanes[0].isnan().all()) and bool(lanes[2].isnan().all())


@pytest.mark.parametrize("tiny", [0.0, 1e-45, 1e-38])
def test_rows_too_small_for_a_scale_stay_finite(tiny):
    """SPEC 4.91"""
    exact = packed(rank=8)
    exact.blob.mul_(0).add_(tiny)
    widened = floats_of(quantise(exact, shape()), shape())
    assert bool(widened.isfinite().all()) and bool((widened.abs() <= 1e-37).all())


def test_bytes_are_exact_and_about_a_quarter(dora):
    """SPEC 4.9, 4.91: scales come to a hundredth, gains stay as they are."""
    for exact in (packed(rank=8), packed(rank=64), dora):
        small = quantise(exact, shape())
        tensors = [t for t in (small.blob, small.scales, small.gains) if t is not None]
        assert small.nbytes == sum(t.untyped_storage().nbytes() for t in tensors)
        gains = exact.nbytes - 4 * gains_start(exact.layout, shape())
        assert 0.25 < (small.nbytes - gains) / (exact.nbytes - gains) < 0.27


def test_the_pool_decides_the_form():
    """SPEC 4.91"""
    exact = packed(rank=8)
    assert for_pool(exact, shape(), "float32") is exact
    assert for_pool(exact, shape(), "int8").blob.dtype == torch.int8
    assert floats_of(exact, shape()) is exact.blob


@pytest.mark.parametrize("options", [{"rank": 8}, {"rank": 3, "modules": ("k_proj", "down_proj")}])
def test_in_bf16_each_number_is_the_nearest_one(options):
    """SPEC 4.193"""
    exact = packed(**options)
    narrow = for_pool(exact, shape(), "bfloat16")
    assert torch.equal(floats_of(narrow, shape()), exact.blob.bfloat16().float())
    assert narrow.nbytes * 2 == exact.nbytes and narrow.lane_bytes == exact.lane_bytes


def test_in_bf16_gains_are_kept_exactly_and_written_where_they_were(dora):
    """SPEC 4.193"""
    start = gains_start(dora.layout, shape())
    narrow = for_pool(dora, shape(), "bfloat16")
    out = torch.full_like(dora.blob, float("nan"))
    write_floats(narrow, shape(), out)
    assert torch.equal(out[start:], dora.blob[start:])
    assert torch.equal(out, floats_of(narrow, shape()))
    assert torch.equal(out[:start], dora.blob[:start].bfloat16().float())
