"""Ensembles on a real chain: a model with weighted parents, served by its record, or not registered."""

from collections.abc import Iterator, Mapping
from dataclasses import replace

import pytest

from node.errors import ChainReverted, InvalidInput, NotFound
from node.models.contracts import ModelStatus, ModelTerms
from node.models.ensemble_registration import register_ensemble
from node.models.registry import RegisteredModel
from node.serving.model import ServedModel
from node.store.database import Database, open_database
from node.training.index_tree import index_tree
from protocol.canonical import canonical_json
from protocol.cid import cid_of_raw
from protocol.ensemble import Member, ensemble_cid, ensemble_of
from protocol.hashing import sha256, to_hex
from protocol.pricing import Rates
from protocol.types import TOTAL_PPM
from tests.node.actors import METADATA, World, running_world
from tests.node.bundles_made import BASE_FINGERPRINT, bundle_files, put_bundle
from tests.node.bundles_made import weights as lora_pairs
from tests.node.index_made import SHAPE, put_index
from tests.node.model_stage import TOKENIZER, ModelStage

RATES, OTHER_RATES = Rates(10, 20, 3), Rates(11, 21, 4)
DATA = cid_of_raw(b"a dataset manifest")
ROYALTIES = 300_001


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as started:
        yield started


class Shop(ModelStage):
    """Adapters to put together."""

    def adapter(
        self, name: str, files: Mapping[str, bytes] | None = None, live: bool = True, span: int = 8
    ) -> RegisteredModel:
        """A registered adapter with an index of its own."""
        magnitudes = (name.encode() * 256)[: SHAPE.columns(2)["0.magnitude"]]
        index = put_index(self.blobs, 4, {"0.magnitude": magnitudes})
        bundle = put_bundle(self.blobs, bundle_files(DATA, index) | dict(files or {}))
        root = index_tree(self.blobs, index).root
        terms = ModelTerms(name, self.base_id, 0, bundle, b"\1" * 32, root, RATES, (), span)
        return self.registry.register(terms, live)

    def ensemble(self, name: str, *members: tuple[str, int], royalties: int = ROYALTIES) -> RegisteredModel:
        return register_ensemble(self.registry, self.blobs, name, members, OTHER_RATES, royalties)


@pytest.fixture
def shop(world: World, database: Database) -> Shop:
    return Shop(world, database)


def test_an_ensemble_is_a_model_with_weighted_parents(shop: Shop) -> None:
    """SPEC 4.218"""
    first, second = shop.adapter("one", span=5), shop.adapter("two", span=9)
    model = shop.ensemble("both", ("one", 250_000), ("two@1", 750_000))
    cids = {one.terms.bundle.text: one for one in (first, second) if one.terms.bundle}
    weights = {first.id: 250_000, second.id: 750_000}
    record = ensemble_of([Member(cid, weights[one.id]) for cid, one in cids.items()])
    assert model.terms.bundle is not None and model.terms.bundle.text == ensemble_cid(record)
    assert [parent for parent, _ in model.terms.royalties] == [cids[one.cid].id for one in record.members]
    assert sum(ppm for _, ppm in model.terms.royalties) == ROYALTIES
    for (_, ppm), member in zip(model.terms.royalties, record.members, strict=True):
        assert abs(ppm - ROYALTIES * member.ppm / TOTAL_PPM) < 1
    assert (model.terms.rates, model.terms.min_span_tokens) == (OTHER_RATES, 9)
    assert shop.registry.find("both") == model


def test_it_is_served_by_its_record_and_attributed_by_its_members(shop: Shop) -> None:
    """SPEC 4.217"""
    for name in ("left", "right"):
        shop.adapter(name)
    model = shop.ensemble("mixed", ("left", 400_000), ("right", 600_000))
    served = shop.catalog.find("mixed")
    assert model.terms.bundle is not None
    assert (served.adapter_cid, served.index_cid) == (model.terms.bundle.text, None)
    assert (served.base_fingerprint, served.manifest_cid) == (BASE_FINGERPRINT, DATA.text)
    assert served.sources == served.members
    found = {(source.index_cid, source.index_root): source.ppm for source in served.members}
    alone = {name: shop.catalog.find(name) for name in ("left", "right")}
    assert found == {
        (alone["left"].index_cid, alone["left"].index_root): 400_000,
        (alone["right"].index_cid, alone["right"].index_root): 600_000,
    }
    assert served.royalties == tuple((model.owner, ppm) for _, ppm in model.terms.royalties)
    assert ServedModel.from_json(served.to_json()) == served
    (card,) = [card for card in shop.source.served() if card.name == "mixed"]
    assert (card.root, card.parent) == (model.terms.bundle.text, "SmolLM2-135M-Instruct")


def test_a_single_adapter_is_its_own_source(shop: Shop) -> None:
    """SPEC 4.217: also as a job of an earlier version kept it."""
    shop.adapter("alone")
    served = shop.catalog.find("alone")
    assert served.members == () and [source.ppm for source in served.sources] == [TOTAL_PPM]
    kept = served.to_json().replace('"members":[],', "")
    assert "members" not in kept and ServedModel.from_json(kept) == served


def test_without_a_members_bytes_it_is_not_found(shop: Shop, world: World) -> None:
    """SPEC 4.217"""
    for name in ("here", "there"):
        shop.adapter(name)
    shop.ensemble("parted", ("here", 500_000), ("there", 500_000))
    other = Shop(world, open_database(":memory:"))
    other.registry.refresh()
    with pytest.raises(NotFound):
        other.catalog.find("parted")


INVOKED = {
    "adapter_config.json": canonical_json({"peft_type": "LORA", "r": 4, "alora_invocation_tokens": [1, 2]})
}


def test_what_makes_no_ensemble_is_not_registered(shop: Shop) -> None:
    """SPEC 4.218: each with the reason, and no record of it is on chain."""
    for name in ("a", "b"):
        shop.adapter(name)
    shop.adapter("draft", live=False)
    shop.adapter("invoked", INVOKED)
    bare = ModelTerms("bare", shop.base_id, 0, None, b"\1" * 32, b"\2" * 32, RATES, (), 8)
    shop.registry.register(bare)
    twice = shop.registry.find("a").terms
    shop.registry.register(replace(twice, name="same"))
    cases = {
        "sum of weights": [("a", 500_000), ("b", 400_000)],
        "each once": [("a", 500_000), ("same", 500_000)],
        "number of members": [("a", TOTAL_PPM)],
        "no adapter": [("a", 500_000), ("bare", 500_000)],
        "not live": [("a", 500_000), ("draft", 500_000)],
        "alone": [("a", 500_000), ("invoked", 500_000)],
    }
    before = shop.contracts.model_count()
    for reason, members in cases.items():
        with pytest.raises(InvalidInput, match=reason):
            shop.ensemble("bad", *members)
    with pytest.raises(NotFound):
        shop.ensemble("bad", ("a", 500_000), ("nobody's", 500_000))
    with pytest.raises(ChainReverted, match="RoyaltiesTooHigh"):
        shop.ensemble("bad", ("a", 500_000), ("b", 500_000), royalties=TOTAL_PPM)
    assert shop.contracts.model_count() == before


def test_more_ranks_than_a_worker_takes_are_not_registered(shop: Shop) -> None:
    """SPEC 4.218: by the tensors themselves, each rank padded."""
    for name, rank in (("r33", 33), ("r34", 34), ("r4", 4)):
        data = lora_pairs(rank)
        facts = {"adapter_sha256": to_hex(sha256(data))}
        made = bundle_files(DATA, cid_of_raw(name.encode()), facts)
        shop.adapter(name, made | {"adapter_model.safetensors": data})
    shop.ensemble("fits", ("r33", 500_000), ("r34", 500_000))
    with pytest.raises(InvalidInput, match="136"):
        shop.ensemble("wide", ("r33", 500_000), ("r34", 499_999), ("r4", 1))


def test_members_of_two_bases_or_versions_are_refused(shop: Shop) -> None:
    """SPEC 4.218"""
    shop.adapter("ours")
    other = shop.registry.register_base(b"\5" * 32, TOKENIZER, METADATA)
    terms = shop.registry.find("ours").terms
    made = bundle_files(DATA, cid_of_raw(b"foreign"))
    foreign = replace(terms, name="foreign", base_id=other, bundle=put_bundle(shop.blobs, made))
    shop.registry.register(foreign)
    with pytest.raises(InvalidInput, match="base_id"):
        shop.ensemble("torn", ("ours", 500_000), ("foreign", 500_000))
    assert shop.registry.find("ours").status is ModelStatus.LIVE
