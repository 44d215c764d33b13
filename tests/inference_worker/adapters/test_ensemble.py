"""The weighted sum of adapters, whatever their form and order, under limits."""

import itertools
from dataclasses import replace

import pytest
import torch

from inference_worker.adapters.ensemble import combine
from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.packing import Layout, bucket_of, matrices_by_group, pack, slices_of
from inference_worker.adapters.quantised import quantise
from inference_worker.adapters.refusals import NotLinear, OverCap
from protocol.ensemble import MAX_RANK, padded_rank
from protocol.types import TOTAL_PPM
from tests.inference_worker.adapters.peft_folders import FINGERPRINT, adapter_files, shape


def packed(cid, **options):
    return pack(cid, ingest(adapter_files(**options), shape(), FINGERPRINT, Caps()), shape())


ADAPTERS = [
    packed("a", seed=1, rank=3),
    packed("b", seed=2, rank=16, modules=("q_proj", "down_proj")),
    packed("c", seed=3, rank=8, modules=("k_proj", "up_proj")),
    packed("d", seed=4, rank=1, modules=("o_proj",)),
]


def products(adapter):
    """up^T down of each module in each layer, by (group, member); absent ones are left out."""
    found = {}
    for group, matrices in matrices_by_group(adapter.blob, adapter.layout, shape()).items():
        for member, up in enumerate(matrices.ups):
            found[group, member] = up.transpose(1, 2) @ matrices.down[:, member]
    return found


@pytest.mark.parametrize("weights", [(500_000, 500_000), (1, 999_999), (300_000, 200_000, 499_999, 1)])
def test_an_ensemble_is_the_weighted_sum_of_its_members(weights):
    """SPEC 4.92"""
    members = list(zip(ADAPTERS, weights, strict=False))
    mixed = combine("sum", members, shape())
    expected = {}
    for adapter, ppm in members:
        for place, product in products(adapter).items():
            expected[place] = expected.get(place, 0) + ppm / TOTAL_PPM * product
    for place, product in products(mixed).items():
        wanted = expected.get(place, torch.zeros_like(product))
        assert torch.allclose(product, wanted, atol=1e-5)
    assert set(expected) <= set(products(mixed))


def test_order_changes_neither_name_nor_bits():
    """SPEC 4.92"""
    members = list(zip(ADAPTERS[:3], (200_000, 300_000, 500_000), strict=True))
    ways = [combine("sum", list(way), shape()) for way in itertools.permutations(members)]
    assert all(torch.equal(way.blob, ways[0].blob) for way in ways)


def test_members_are_only_read():
    """SPEC 4.92: another request may be reading them in place."""
    before = [adapter.blob.clone() for adapter in ADAPTERS]
    combine("sum", [(ADAPTERS[0], 400_000), (ADAPTERS[1], 600_000)], shape())
    assert all(torch.equal(a.blob, b) for a, b in zip(ADAPTERS, before, strict=True))


def test_int8_members_count_as_what_they_are_widened_to():
    """SPEC 4.92"""
    small = [quantise(adapter, shape()) for adapter in ADAPTERS[:2]]
    mixed = combine("sum", [(small[0], 400_000), (small[1], 600_000)], shape())
    exact = combine("sum", [(ADAPTERS[0], 400_000), (ADAPTERS[1], 600_000)], shape())
    assert mixed.blob.dtype == torch.float32 and mixed.layout == exact.layout
    assert 0 < (mixed.blob - exact.blob).abs().max() <= exact.blob.abs().max() / 254 * 1.001


def test_the_layout_holds_all_ranks_and_groups():
    """SPEC 4.92"""
    mixed = combine("sum", [(ADAPTERS[1], 500_000), (ADAPTERS[2], 500_000)], shape())
    assert mixed.layout == Layout(32, (0, 2, 3))
    assert mixed.nbytes == 4 * slices_of(mixed.layout, shape())[1]


def test_ranks_beyond_the_limit_are_refused():
    """SPEC 4.92"""
    wide = [packed(f"w{i}", seed=i, rank=33, modules=("o_proj",)) for i in range(3)]
    combine("sum", [(wide[0], 500_000), (wide[1], 500_000)], shape())
    with pytest.raises(OverCap) as refusal:
        combine("sum", [(wide[0], 300_000), (wide[1], 300_000), (wide[2], 400_000)], shape())
    assert refusal.value.actual == 3 * 64


@pytest.mark.parametrize("name", ["dora", "alora"])
def test_what_is_not_linear_is_refused_by_name(name):
    """SPEC 4.92, 4.215: a gain multiplies the base as well, and an invocation is one adapter's own."""
    dora = replace(ADAPTERS[0], cid="dora", layout=replace(ADAPTERS[0].layout, dora=True))
    odd = dora if name == "dora" else replace(ADAPTERS[0], cid="alora", invocation=(1, 2))
    with pytest.raises(NotLinear) as refusal:
        combine("sum", [(ADAPTERS[1], 500_000), (odd, 500_000)], shape())
    assert refusal.value.cid == name


@pytest.mark.parametrize("rank", range(1, MAX_RANK + 1))
def test_the_buckets_are_those_that_the_rules_speak_of(rank):
    """SPEC 4.92: so whoever registers an ensemble can tell what a worker will make of it."""
    assert bucket_of(rank) == padded_rank(rank)
