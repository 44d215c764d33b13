"""The choice of `auto`: only what was measured to be better, only for what it was measured on."""

import json
from collections.abc import Iterator
from dataclasses import replace

import pytest

from inference_worker.evaluation.comparison import compare
from node.blobs.store import BlobStore
from node.errors import NotFound
from node.models.contracts import ModelContracts, ModelStatus, ModelTerms
from node.models.registry import ModelRegistry, RegisteredModel
from node.serving.auto import LEAST_LIKENESS, AutoCatalog, Router
from node.serving.catalog import RegistryCatalog
from node.serving.measured import Gain, Measured, Measurements
from node.serving.model import ServedModel
from node.store.blocks import BlockTable
from node.store.database import Database
from node.store.models import ModelTable, StoredJob, TrainingTable
from node.training.held_out import encode_held_out
from node.training.result import check_result
from protocol.cid import cid_of_raw
from protocol.hashing import from_hex
from protocol.manifest import Row
from protocol.pricing import Rates
from protocol.wire import JobSpec, JobStatus
from tests.node.actors import METADATA, World, running_world
from tests.node.bundles_made import BASE_FINGERPRINT, RECIPE, TOKENIZER_DIGEST, training_result
from tests.node.serving.domains import DOMAINS, GENERAL

BASE = "plain@1"


def measured(name: str, prompts: list[str], low: int = 1, model_id: int = 1) -> Measured:
    gain = Gain(len(prompts), low + 100_000, low, low + 200_000)
    return Measured(name, model_id, 1, cid_of_raw(name.encode()), gain, tuple(prompts))


def halves(step: int) -> dict[str, list[str]]:
    return {name: prompts[step::2] for name, prompts in DOMAINS.items()}


@pytest.mark.parametrize("names", [("diabetes",), ("diabetes", "sequelae"), tuple(DOMAINS)], ids=len)
def test_held_out_prompts_go_where_the_oracle_sends_them(names: tuple[str, ...]) -> None:
    """SPEC 4.164: measured on one half of each domain, asked with the other half and with anything else."""
    specialists = [measured(name, halves(0)[name], model_id=n) for n, name in enumerate(names, start=1)]
    router = Router(BASE, specialists)
    asked = [(name if name in names else BASE, prompt) for name in DOMAINS for prompt in halves(1)[name]]
    asked += [(BASE, prompt) for prompt in GENERAL]
    chosen = [router.route(prompt).model for _, prompt in asked]
    right = sum(oracle == found for (oracle, _), found in zip(asked, chosen, strict=True))
    astray = [
        (oracle, found)
        for (oracle, _), found in zip(asked, chosen, strict=True)
        if found not in (oracle, BASE)
    ]
    assert astray == []
    assert right >= 0.75 * len(asked), f"{right} of {len(asked)} as the oracle"


@pytest.mark.parametrize("low", [0, -1, -200_000])
def test_an_interval_that_is_not_above_zero_routes_nothing(low: int) -> None:
    """SPEC 4.165"""
    prompts = DOMAINS["letters"]
    route = Router(BASE, [measured("letters@1", prompts, low)]).route(prompts[0])
    assert (route.model, route.reason) == (BASE, "no specialist is measured to be better than the base")
    assert Router(BASE, [measured("letters@1", prompts, 1)]).route(prompts[0]).model == "letters@1"


def test_of_equally_near_specialists_the_surer_one_then_the_older_one() -> None:
    """SPEC 4.165"""
    prompts = DOMAINS["letters"]
    sure, unsure = measured("a@1", prompts, 50, 7), measured("b@1", prompts, 60, 8)
    assert Router(BASE, [sure, unsure]).route(prompts[3]).model == "b@1"
    assert Router(BASE, [replace(unsure, gain=sure.gain), sure]).route(prompts[3]).model == "a@1"


def test_questions_without_likeness_do_not_cover_the_world() -> None:
    """SPEC 4.165"""
    router = Router(BASE, [measured("odd@1", ["alpha beta", "gamma delta", "epsilon zeta"])])
    far = router.route("a beta of many other words that nobody measured anything about")
    assert far.model == BASE and f"{LEAST_LIKENESS:.3f} needed" in far.reason
    assert router.route("gamma delta").model == "odd@1"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with running_world() as started:
        yield started


RATES = Rates(10, 20, 3)
EVALUATED = compare([0.2, 0.25, 0.5, 0.1], [0.9, 1.0, 1.0, 0.5], [0.2], [1.0], 20)
USELESS = compare([0.5, 1.0, 0.2], [0.5, 0.9, 0.3], [0.2], [1.0], 20)


class Shop:
    """Registered models on a real chain, and the trainings that they came from."""

    def __init__(self, world: World, database: Database) -> None:
        self.blobs = BlobStore(BlockTable(database))
        self.trainings = TrainingTable(database)
        contracts = ModelContracts(world.chain, world.transactor("publisher", database))
        self.contracts = contracts
        self.registry = ModelRegistry(ModelTable(database), self.blobs, contracts)
        catalog = RegistryCatalog(self.registry, contracts, self.blobs, self.trainings)
        self.catalog = AutoCatalog(catalog, self.registry, Measurements(self.trainings, self.blobs))
        fingerprint, tokenizer = from_hex(BASE_FINGERPRINT, 32), from_hex(TOKENIZER_DIGEST, 32)
        self.base_id = self.registry.register_base(fingerprint, tokenizer, METADATA)

    def bare(self, name: str) -> RegisteredModel:
        terms = ModelTerms(name, self.base_id, 0, None, b"\1" * 32, b"\2" * 32, RATES, (), 8)
        return self.registry.register(terms)

    def trained(self, name: str, evaluation: dict[str, object] | None) -> RegisteredModel:
        manifest = self.blobs.put(f"a manifest of {name}".encode())
        held_out = self.blobs.put(encode_held_out([Row("qa", one, "x", {}) for one in DOMAINS[name]]))
        spec = JobSpec(
            name, 1, "training", manifest.text, BASE_FINGERPRINT, RECIPE, held_out_cid=held_out.text
        )
        result = training_result(self.blobs, manifest, {"evaluation": evaluation})
        status = JobStatus(name, "done", "", 1, 1, None, None, "", result)
        spelled = (json.dumps(one.to_json()) for one in (spec, status))
        self.trainings.add(StoredJob(name, 1, 1, 1, *spelled, "done", 1))
        return self.registry.register_trained(name, 0, check_result(spec, result, self.blobs), RATES)


@pytest.fixture
def shop(world: World, database: Database) -> Shop:
    return Shop(world, database)


def test_the_choice_is_made_among_this_nodes_measured_models(shop: Shop) -> None:
    """SPEC 4.164, 4.165, 4.166"""
    with pytest.raises(NotFound, match="register a live model without a bundle"):
        shop.catalog.choose("anything")
    base = shop.bare("plain")
    letters = shop.trained("letters", EVALUATED.to_json())
    shop.trained("http", USELESS.to_json())
    shop.trained("sequelae", None)
    chosen = shop.catalog.choose(DOMAINS["letters"][5])
    assert (chosen.model_id, chosen.name) == (letters.id, f"letters@{letters.version}")
    assert chosen.rates == RATES and chosen.adapter_cid == letters.terms.bundle.text
    low, high = EVALUATED.gain_low_ppm / 1e6, EVALUATED.gain_high_ppm / 1e6
    assert f"({low:+.3f} to {high:+.3f}) on 4 questions" in chosen.chosen
    assert ServedModel.from_json(chosen.to_json()) == chosen
    for prompt in (GENERAL[0], DOMAINS["http"][3], DOMAINS["sequelae"][3]):
        fallen = shop.catalog.choose(prompt)
        assert (fallen.model_id, bool(fallen.chosen)) == (base.id, True)
    shop.contracts.set_status(letters.id, ModelStatus.DRAFT)
    shop.registry.refresh()
    assert shop.catalog.choose(DOMAINS["letters"][5]).model_id == base.id
