"""From a registration on a real chain to a model that is served, or to the reason why it is not."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from node.errors import NotFound
from node.models.contracts import ModelStatus, ModelTerms
from node.store.database import Database, open_database
from node.training.result import TrainingResult, check_result
from protocol.hashing import to_hex
from protocol.pricing import Rates
from protocol.wire import JobSpec
from tests.node.actors import World, running_world
from tests.node.bundles_made import BASE_FINGERPRINT, RECIPE, training_result
from tests.node.model_stage import ModelStage

RATES = Rates(10**18 + 1, 2 * 10**18, 3)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as started:
        yield started


class Shop(ModelStage):
    """Models to look for."""

    def trained(self) -> TrainingResult:
        manifest = self.blobs.put(b"a dataset manifest")
        spec = JobSpec("job", 1, "training", manifest.text, BASE_FINGERPRINT, RECIPE)
        return check_result(spec, training_result(self.blobs, manifest), self.blobs)

    def bare(self, name: str, *royalties: tuple[int, int]) -> ModelTerms:
        return ModelTerms(name, self.base_id, 0, None, b"\1" * 32, b"\2" * 32, RATES, royalties, 8)


@pytest.fixture
def shop(world: World, database: Database) -> Shop:
    return Shop(world, database)


def test_a_trained_model_is_served_as_registered_and_as_its_bundle_says(shop: Shop) -> None:
    """SPEC 4.77"""
    result = shop.trained()
    model = shop.registry.register_trained("coder", 0, result, RATES)
    served = shop.catalog.find("coder")
    assert (served.model_id, served.owner, served.rates) == (model.id, model.owner, RATES)
    assert served.base_fingerprint == BASE_FINGERPRINT
    assert (served.adapter_cid, served.index_cid) == (result.bundle.cid.text, result.index.text)
    assert served.index_root == to_hex(result.index_digest) == served.sources[0].index_root
    assert served.manifest_cid == result.bundle.manifest.dataset_manifest.text
    assert served.min_span_tokens == result.min_span_tokens


def test_a_model_that_registered_another_index_is_not_served(shop: Shop) -> None:
    """SPEC 5.184: whoever served it would state scores of an index that the chain does not know."""
    result = shop.trained()
    other = replace(result, index_digest=b"other".ljust(32))
    shop.registry.register_trained("swapped", 0, other, RATES)
    with pytest.raises(NotFound, match="another index"):
        shop.catalog.find("swapped")


def test_a_bare_base_has_nothing_to_attribute_to(shop: Shop) -> None:
    """SPEC 4.77"""
    shop.registry.register(shop.bare("plain"))
    served = shop.catalog.find("plain")
    assert (served.adapter_cid, served.index_cid, served.manifest_cid) == (None, None, None)
    assert served.base_fingerprint == BASE_FINGERPRINT


def test_royalties_go_to_the_parents_owner(shop: Shop) -> None:
    """SPEC 4.77"""
    parent = shop.registry.register(shop.bare("parent"))
    shop.registry.register(shop.bare("child", (parent.id, 100_000)))
    assert shop.catalog.find("child").royalties == ((parent.owner, 100_000),)


def test_the_price_is_read_at_each_request(shop: Shop) -> None:
    """SPEC 4.77"""
    model = shop.registry.register(shop.bare("priced"))
    assert shop.catalog.find("priced").rates == RATES
    shop.contracts.set_price(model.id, Rates(5, 6, 7))
    assert shop.catalog.find("priced").rates == Rates(5, 6, 7)


def test_what_cannot_be_served_is_neither_found_nor_listed(shop: Shop, world: World) -> None:
    """SPEC 4.77"""
    paused = shop.registry.register(shop.bare("paused"))
    shop.contracts.set_status(paused.id, ModelStatus.DRAFT)
    shop.registry.refresh()
    with pytest.raises(NotFound, match="not live"):
        shop.catalog.find("paused")
    shop.registry.register_trained("elsewhere", 0, shop.trained(), RATES)
    other = Shop(world, open_database(":memory:"))
    other.registry.refresh()
    with pytest.raises(NotFound):
        other.catalog.find("elsewhere")
    listed = {card.name for card in other.source.served()}
    assert "elsewhere" not in listed and "paused" not in listed


def test_the_list_names_the_latest_by_its_name_alone(shop: Shop) -> None:
    """SPEC 4.59"""
    first = shop.registry.register(shop.bare("twice"))
    shop.registry.register(replace(shop.bare("twice"), rates=Rates(1, 2, 3)))
    cards = {card.name: card for card in shop.source.served() if card.name.startswith("twice")}
    assert set(cards) == {"twice", "twice@1"}
    assert (cards["twice"].model_version, cards["twice"].in_rate) == (2, 1)
    assert (cards["twice@1"].owner, cards["twice@1"].in_rate) == (first.owner, RATES.in_rate)
    assert all(card.created > 1_600_000_000 for card in cards.values())
    for card in cards.values():
        assert shop.catalog.find(card.name).in_rate == card.in_rate
