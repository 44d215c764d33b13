"""Ensembles by content id: fetched, checked and kept like any adapter, or refused by the name of a member."""

import itertools
import json

import pytest
import torch

from inference_worker.adapters import refusals
from inference_worker.adapters.bundle import BundleSource
from inference_worker.adapters.ensemble import combine
from inference_worker.adapters.failures import AdapterQuarantined
from inference_worker.adapters.ingest import Caps
from inference_worker.adapters.quantised import quantise
from inference_worker.adapters.spelled_ensembles import SpelledEnsembles
from inference_worker.blobs.abort import Abort
from inference_worker.blobs.node_blobs import cid_of
from inference_worker.errors import BlobMissing
from protocol.ensemble import Member, encode_ensemble, ensemble_cid, ensemble_of
from tests.inference_worker.adapters.loading import make_loader, packer
from tests.inference_worker.adapters.peft_folders import (
    BlobShelf,
    adapter_files,
    config_dict,
    files,
    random_pairs,
    shape,
)

WEIGHTS = (200_000, 300_000, 500_000)
MIXES = [{"rank": 3}, {"rank": 16, "modules": ("q_proj", "down_proj")}, {"rank": 8, "modules": ("up_proj",)}]


@pytest.fixture
def shelf():
    return BlobShelf()


@pytest.fixture
def cids(shelf):
    return [shelf.put_bundle(adapter_files(seed=seed, **mix)) for seed, mix in enumerate(MIXES, start=1)]


def load(shelf, cid, **options):
    return BundleSource(shelf.fetch, packer(**options)).load(cid, Abort()).packed


def of(cids, weights=WEIGHTS):
    return ensemble_of([Member(cid, ppm) for cid, ppm in zip(cids, weights, strict=True)])


def test_an_ensemble_is_the_sum_of_what_its_members_bundles_hold(shelf, cids):
    """SPEC 4.214"""
    cid = shelf.put(encode_ensemble(of(cids)))
    found = load(shelf, cid)
    members = [(load(shelf, one), ppm) for one, ppm in zip(cids, WEIGHTS, strict=True)]
    expected = combine(cid, members, shape())
    assert found.cid == cid == ensemble_cid(of(cids))
    assert found.layout == expected.layout and torch.equal(found.blob, expected.blob)


def test_an_int8_pool_rounds_the_sum_and_not_its_parts(shelf, cids):
    """SPEC 4.214: once, so the bound of the pool is that of any adapter."""
    cid = shelf.put(encode_ensemble(of(cids)))
    small, exact = load(shelf, cid, pool="int8"), load(shelf, cid)
    assert torch.equal(small.blob, quantise(exact, shape()).blob)


def test_it_passes_the_tiers_as_any_adapter_does(shelf, cids, tmp_path):
    """SPEC 4.214: leased from memory, then read from disk by the next process, fetched once."""
    cid = shelf.put(encode_ensemble(of(cids)))
    loader = make_loader(shelf.fetch, tmp_path)
    first = loader.acquire(cid)
    assert loader.acquire(cid) is first and shelf.fetches.count(cid) == 1
    held = {one for one, row in loader.status().host.items() if row.leases}
    assert held == {cid}
    fetched = len(shelf.fetches)
    again = make_loader(shelf.fetch, tmp_path).acquire(cid)
    assert torch.equal(again.blob, first.blob) and len(shelf.fetches) == fetched


@pytest.mark.parametrize("order", list(itertools.permutations(range(3))))
def test_spelled_out_it_is_the_same_without_a_node_that_has_it(shelf, cids, tmp_path, order):
    """SPEC 4.214"""
    stored = shelf.put(encode_ensemble(of(cids)))
    known = load(shelf, stored)
    del shelf.blobs[stored]
    spelled = SpelledEnsembles(shelf.fetch)
    cid = spelled.give(ensemble_of([Member(cids[i], WEIGHTS[i]) for i in order]))
    assert cid == stored
    assert torch.equal(make_loader(spelled.fetch, tmp_path).acquire(cid).blob, known.blob)


def test_what_is_remembered_of_spelled_ensembles_is_bounded(shelf, cids):
    """SPEC 4.214: the one given longest ago goes; one that is given again stays."""
    spelled = SpelledEnsembles(shelf.fetch, max_entries=2)
    kinds = [of(cids, (n, 500_000 - n, 500_000)) for n in (1, 2, 3)]
    first, second = (spelled.give(kind) for kind in kinds[:2])
    assert spelled.give(kinds[0]) == first
    third = spelled.give(kinds[2])
    for kept in (first, third):
        assert cid_of(spelled.fetch(kept, 4096, Abort())) == kept
    with pytest.raises(BlobMissing):
        spelled.fetch(second, 4096, Abort())


def with_alora():
    return files(random_pairs(5, 8), config_dict(alora_invocation_tokens=[1, 2]))


def broken(named):
    return {**named, "adapter_config.json": b"{"}


def test_a_member_that_is_refused_is_named(shelf, cids, tmp_path):
    """SPEC 4.215: and the ensemble is quarantined, for its bytes name that member for ever."""
    bad = shelf.put_bundle(broken(adapter_files(seed=5)))
    cid = shelf.put(encode_ensemble(of([*cids[:2], bad])))
    loader = make_loader(shelf.fetch, tmp_path)
    with pytest.raises(refusals.MemberRefused) as refusal:
        loader.acquire(cid)
    assert refusal.value.cid == bad and isinstance(refusal.value.refusal, refusals.ConfigMalformed)
    with pytest.raises(AdapterQuarantined):
        loader.request(cid)
    assert loader.acquire(cids[0]).cid == cids[0]


def test_a_member_that_is_missing_condemns_nothing(shelf, cids, tmp_path):
    """SPEC 4.215: it may come."""
    late = adapter_files(seed=6)
    absent = BlobShelf().put_bundle(late)
    cid = shelf.put(encode_ensemble(of([*cids[:2], absent])))
    loader = make_loader(shelf.fetch, tmp_path)
    with pytest.raises(BlobMissing):
        loader.acquire(cid)
    shelf.put_bundle(late)
    loader.clear(cid)
    assert loader.acquire(cid).cid == cid


def test_ensembles_of_ensembles_are_refused(shelf, cids):
    """SPEC 4.215"""
    inner = shelf.put(encode_ensemble(of(cids)))
    with pytest.raises(refusals.MemberRefused) as refusal:
        load(shelf, shelf.put(encode_ensemble(of([*cids[:2], inner]))))
    assert refusal.value.cid == inner


def test_alora_members_are_refused(shelf, cids):
    """SPEC 4.215"""
    odd = shelf.put_bundle(with_alora())
    with pytest.raises(refusals.NotLinear):
        load(shelf, shelf.put(encode_ensemble(of([*cids[:2], odd]))))


def test_the_members_together_stay_within_what_one_adapter_may_bring(shelf, cids):
    """SPEC 4.215: judged by the listings, before any weights are fetched."""
    sizes = [sum(f["size"] for f in json.loads(shelf.blobs[cid])["files"]) for cid in cids]
    cid = shelf.put(encode_ensemble(of(cids)))
    load(shelf, cid, caps=Caps(total_bytes=sum(sizes)))
    shelf.fetches.clear()
    with pytest.raises(refusals.OverCap) as refusal:
        load(shelf, cid, caps=Caps(total_bytes=sum(sizes) - 1))
    assert refusal.value.actual == sum(sizes) and shelf.fetches == [cid, *sorted(cids)]


@pytest.mark.parametrize(
    "change",
    [
        lambda data: data + b" ",
        lambda data: data.replace(b"200000", b"200001"),
        lambda data: data.replace(b'"ensemble":1', b'"ensemble":9'),
        lambda data: data[:-3],
    ],
)
def test_a_record_that_is_none_is_refused_before_anything_else_is_fetched(shelf, cids, change):
    """SPEC 4.213, 4.215"""
    cid = shelf.put(change(encode_ensemble(of(cids))))
    with pytest.raises(refusals.BundleMalformed):
        load(shelf, cid)
    assert shelf.fetches == [cid]
