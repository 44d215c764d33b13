"""Ensembles: the weighted sum of their members, whatever the members' form, under limits."""

import itertools
from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.adapters.ensemble import (
    MAX_MEMBERS,
    TOTAL_PPM,
    EnsembleInvalid,
    EnsembleNotLinear,
    Member,
    canonical_members,
    combine,
    ensemble_id,
)
from inference_worker.adapters.ingest import Caps, ingest
from inference_worker.adapters.packing import Layout, matrices_by_group, pack, slices_of
from inference_worker.adapters.quantised import quantise
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
    mixed = combine(members, shape())
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
    ways = [combine(list(way), shape()) for way in itertools.permutations(members)]
    assert len({way.cid for way in ways}) == 1
    assert all(torch.equal(way.blob, ways[0].blob) for way in ways)


def test_members_are_only_read():
    """SPEC 4.92: another request may be reading them in place."""
    before = [adapter.blob.clone() for adapter in ADAPTERS]
    combine([(ADAPTERS[0], 400_000), (ADAPTERS[1], 600_000)], shape())
    assert all(torch.equal(a.blob, b) for a, b in zip(ADAPTERS, before, strict=True))


def test_int8_members_count_as_what_they_are_widened_to():
    """SPEC 4.92"""
    small = [quantise(adapter, shape()) for adapter in ADAPTERS[:2]]
    mixed = combine([(small[0], 400_000), (small[1], 600_000)], shape())
    exact = combine([(ADAPTERS[0], 400_000), (ADAPTERS[1], 600_000)], shape())
    assert mixed.blob.dtype == torch.float32 and mixed.layout == exact.layout
    assert 0 < (mixed.blob - exact.blob).abs().max() <= exact.blob.abs().max() / 254 * 1.001


def test_the_layout_holds_all_ranks_and_groups():
    """SPEC 4.92"""
    mixed = combine([(ADAPTERS[1], 500_000), (ADAPTERS[2], 500_000)], shape())
    assert mixed.layout == Layout(32, (0, 2, 3))
    assert mixed.nbytes == 4 * slices_of(mixed.layout, shape())[1]


CIDS = st.lists(st.text("abcdef", min_size=1, max_size=4), min_size=2, max_size=MAX_MEMBERS, unique=True)


@given(CIDS, st.randoms(use_true_random=False), st.data())
def test_names_tell_apart_what_differs(cids, random, data):
    """SPEC 4.92: the name is a function of the set of (adapter, weight), and of nothing else."""
    cuts = sorted(random.sample(range(1, TOTAL_PPM), len(cids) - 1))
    weights = [b - a for a, b in zip([0, *cuts], [*cuts, TOTAL_PPM], strict=True)]
    members = [Member(cid, ppm) for cid, ppm in zip(cids, weights, strict=True)]
    shuffled = data.draw(st.permutations(members))
    assert canonical_members(shuffled) == canonical_members(members)
    assert ensemble_id(shuffled) == ensemble_id(members)
    moved = [replace(members[0], ppm=members[0].ppm + 1), replace(members[1], ppm=members[1].ppm - 1)]
    if moved[1].ppm > 0:
        assert ensemble_id([*moved, *members[2:]]) != ensemble_id(members)
    renamed = [replace(members[0], cid="other"), *members[1:]]
    assert ensemble_id(renamed) != ensemble_id(members)


def test_the_name_is_fixed():
    """SPEC 4.92: receipts and caches outlive a release."""
    assert ensemble_id([Member("b", 250_000), Member("a", 750_000)]) == (
        "ensemble-5a9ed6592ecdfdb1ad174eec676bff1af04e64061de039e402fb45056d9fa0f7"
    )


@pytest.mark.parametrize(
    "members",
    [
        [],
        [Member("a", TOTAL_PPM)],
        [Member("a", 500_000), Member("a", 500_000)],
        [Member("a", 500_000), Member("b", 499_999)],
        [Member("a", 500_000), Member("b", 500_001)],
        [Member("a", TOTAL_PPM), Member("b", 0)],
        [Member("a", TOTAL_PPM + 1), Member("b", -1)],
        [Member(str(i), TOTAL_PPM // 10) for i in range(10)],
    ],
)
def test_other_lists_are_refused_before_anything_is_loaded(members):
    """SPEC 4.92"""
    with pytest.raises(EnsembleInvalid):
        ensemble_id(members)


def test_ranks_beyond_the_limit_are_refused():
    """SPEC 4.92"""
    wide = [packed(f"w{i}", seed=i, rank=33, modules=("o_proj",)) for i in range(3)]
    combine([(wide[0], 500_000), (wide[1], 500_000)], shape())
    with pytest.raises(EnsembleInvalid) as refusal:
        combine([(wide[0], 300_000), (wide[1], 300_000), (wide[2], 400_000)], shape())
    assert refusal.value.actual == 3 * 64


def test_dora_is_refused_by_name():
    """SPEC 4.92: a gain multiplies the base as well, so the sum would count the base in part."""
    dora = replace(ADAPTERS[0], cid="dora", layout=replace(ADAPTERS[0].layout, dora=True))
    with pytest.raises(EnsembleNotLinear) as refusal:
        combine([(ADAPTERS[1], 500_000), (dora, 500_000)], shape())
    assert refusal.value.cid == "dora"
