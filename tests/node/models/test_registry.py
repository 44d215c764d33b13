"""The registry on a real chain: terms stay, prices move, names resolve, and the mirror stands in."""

from collections.abc import Iterator
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.blobs.store import BlobStore
from node.errors import ChainReverted, ChainUnreachable, InvalidInput, NotFound
from node.models.contracts import ModelContracts, ModelStatus, ModelTerms
from node.models.registry import ModelRegistry, parse_reference
from node.store.database import Database, open_database
from node.store.models import ModelTable
from node.training.bundle import BadBundle
from node.training.result import TrainingResult, check_result
from protocol.cid import cid_of_raw
from protocol.hashing import from_hex
from protocol.pricing import Rates
from protocol.wire import JobSpec
from tests.node.actors import METADATA, World, running_world
from tests.node.bundles_made import (
    BASE_FINGERPRINT,
    RECIPE,
    TOKENIZER_DIGEST,
    bundle_files,
    put_bundle,
    training_result,
)

FINGERPRINT, TOKENIZER = from_hex(BASE_FINGERPRINT, 32), from_hex(TOKENIZER_DIGEST, 32)
RATES = Rates(10**18 + 1, 2 * 10**18, 3)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as started:
        yield started


@pytest.fixture
def registry(world: World, database: Database, blobs: BlobStore) -> ModelRegistry:
    contracts = ModelContracts(world.chain, world.transactor("publisher", database))
    return ModelRegistry(ModelTable(database), blobs, contracts)


def result_of(blobs: BlobStore) -> TrainingResult:
    manifest = blobs.put(b"a dataset manifest")
    spec = JobSpec("job", 1, "training", manifest.text, BASE_FINGERPRINT, RECIPE)
    return check_result(spec, training_result(blobs, manifest), blobs)


def bare(name: str, base_id: int, *royalties: tuple[int, int]) -> ModelTerms:
    return ModelTerms(name, base_id, 0, None, b"\x01" * 32, b"\x02" * 32, RATES, royalties, 8)


def test_a_trained_adapter_becomes_a_model_with_its_terms(registry: ModelRegistry, blobs: BlobStore) -> None:
    """SPEC 3.4"""
    result = result_of(blobs)
    base_id = registry.register_base(FINGERPRINT, TOKENIZER, METADATA)
    assert registry.register_base(FINGERPRINT, TOKENIZER, METADATA) == base_id
    model = registry.register_trained("icd-10-coder", 0, result, RATES)
    assert model.terms.bundle == result.bundle.cid and model.terms.rates == RATES
    assert model.terms.index_digest == result.index_digest and model.status is ModelStatus.LIVE
    assert registry.find("icd-10-coder") == model == registry.models()[-1]


def test_a_base_with_another_tokenizer_is_another_base(registry: ModelRegistry) -> None:
    """SPEC 3.4"""
    registry.register_base(FINGERPRINT, TOKENIZER, METADATA)
    with pytest.raises(InvalidInput, match="another tokenizer"):
        registry.register_base(FINGERPRINT, b"\x09" * 32, METADATA)


def test_names_resolve_to_versions_and_the_latest_by_default(registry: ModelRegistry) -> None:
    """SPEC 3.5"""
    base_id = registry.register_base(FINGERPRINT, TOKENIZER, METADATA)
    first = registry.register(bare("versions", base_id))
    other = registry.register(bare("another", base_id))
    second = registry.register(bare("versions", base_id, (first.id, 100_000)))
    assert [model.version for model in (first, other, second)] == [1, 1, 2]
    assert registry.find("versions") == second == registry.find("versions@2")
    assert registry.find("versions@1") == first and second.terms.royalties == ((first.id, 100_000),)
    assert registry.owner_of(first.id) == first.owner
    for absent in ("versions@3", "no-such-model"):
        with pytest.raises(NotFound):
            registry.find(absent)


def test_the_price_is_the_one_that_holds_now(
    registry: ModelRegistry, world: World, database: Database
) -> None:
    """SPEC 3.5"""
    base_id = registry.register_base(FINGERPRINT, TOKENIZER, METADATA)
    before = registry.register(bare("priced", base_id))
    owner = ModelContracts(world.chain, world.transactor("publisher", database))
    owner.set_price(before.id, Rates(5, 6, 7))
    owner.set_status(before.id, ModelStatus.DRAFT)
    after = registry.find("priced")
    assert after.terms.rates == Rates(5, 6, 7) and after.status is ModelStatus.DRAFT
    stranger = ModelContracts(world.chain, world.transactor("stranger", database))
    with pytest.raises(ChainReverted, match="NotOwner"):
        stranger.set_price(before.id, RATES)


def test_without_the_chain_the_mirror_answers_what_it_knows(
    registry: ModelRegistry, database: Database, blobs: BlobStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 3.6"""
    base_id = registry.register_base(FINGERPRINT, TOKENIZER, METADATA)
    model = registry.register(bare("mirrored", base_id))

    def away(*_: object) -> int:
        raise ChainUnreachable("the chain does not answer")

    monkeypatch.setattr(ModelContracts, "model_id", away)
    assert registry.find("mirrored") == registry.find("mirrored@1") == model
    with pytest.raises(ChainUnreachable):
        registry.find("never-read")


def test_a_new_mirror_reads_everything_from_the_chain(
    registry: ModelRegistry, world: World, blobs: BlobStore
) -> None:
    """SPEC 3.6"""
    base_id = registry.register_base(FINGERPRINT, TOKENIZER, METADATA)
    for _ in range(3):
        registry.register(bare("many-versions", base_id))
    fresh = ModelRegistry(ModelTable(open_database(":memory:")), blobs, ModelContracts(world.chain))
    assert fresh.refresh() == len(fresh.models())
    mine = {model.id: model for model in registry.models()}
    assert {model.id: model for model in fresh.models() if model.id in mine} == mine


def test_a_bundle_that_no_worker_would_serve_is_not_registered(
    registry: ModelRegistry, blobs: BlobStore
) -> None:
    """SPEC 3.4"""
    result = result_of(blobs)
    files = bundle_files(cid_of_raw(b"m"), cid_of_raw(b"i")) | {"adapter_config.json": b"{}"}
    evil = replace(result, bundle=replace(result.bundle, cid=put_bundle(blobs, files)))
    with pytest.raises(BadBundle):
        registry.register_trained("evil", 0, evil, RATES)
    with pytest.raises(NotFound):
        registry.find("evil")


@given(
    name=st.text(
        st.characters(blacklist_characters="@", blacklist_categories=["Cs"]), min_size=1, max_size=64
    )
)
def test_a_reference_is_a_name_with_or_without_a_version(name: str) -> None:
    """SPEC 3.5"""
    assert parse_reference(name) == (name, 0)
    assert parse_reference(f"{name}@12") == (name, 12)


@pytest.mark.parametrize(
    "reference",
    [
        "",
        "@",
        "@1",
        "a@",
        "a@0",
        "a@01",
        "a@-1",
        "a@1.0",
        "a@١",
        "a@b@1",
        "x" * 65,
        f"a@{2**64}",
        "a@" + "9" * 9999,
    ],
)
def test_a_malformed_reference_is_refused(reference: str) -> None:
    """SPEC 3.5"""
    with pytest.raises(InvalidInput):
        parse_reference(reference)
