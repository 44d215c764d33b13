"""Stage 3 of the demo: the base and the specialist become models on chain, with price and royalty."""

import asyncio
from typing import Any

from node.errors import NotFound
from node.models.contracts import ModelContracts, ModelTerms
from node.models.registry import ModelRegistry, RegisteredModel
from node.store.models import ModelTable, TrainingTable
from node.training.coordinator import TrainingCoordinator
from node.training.result import TrainingResult
from protocol.hashing import from_hex
from protocol.pricing import Rates
from protocol.types import version_key
from scripts.demo_stages.world import World

BASE_NAME = "smollm2-135m-instruct"
NAME = "icd-10-cm-coder"
# Wei of OPEN per 1,000 tokens in and out, and per request.
BASE_RATES = Rates(10**15, 2 * 10**15, 10**13)
RATES = Rates(5 * 10**16, 10**17, 10**15)
ROYALTY_PPM = 50_000


async def register(world: World) -> dict[str, Any]:
    """Registers what is not registered yet; the bundle is verified byte by byte before."""
    health = await world.core.worker.health()
    fingerprint, tokenizer = from_hex(health.base.fingerprint, 32), from_hex(health.base.tokenizer_digest, 32)
    return await asyncio.to_thread(_register, world, fingerprint, tokenizer)


def _register(world: World, fingerprint: bytes, tokenizer: bytes) -> dict[str, Any]:
    result = TrainingCoordinator(
        TrainingTable(world.core.database), world.core.blobs, world.core.worker, world.core.clock
    ).result(world.journal["training"]["job"])
    metadata = world.core.blobs.put(
        b'{"name":"SmolLM2-135M-Instruct","licence":"Apache-2.0"}', "base metadata"
    )
    owner_of_base, owner = _registry(world, "olga"), _registry(world, "frank")
    base_id = owner_of_base.register_base(fingerprint, tokenizer, metadata)
    terms = ModelTerms(BASE_NAME, base_id, 0, None, bytes(32), bytes(32), BASE_RATES, (), 0)
    base = _once(owner_of_base, BASE_NAME, lambda: owner_of_base.register(terms))
    model = _once(owner, NAME, lambda: _specialist(world, owner, result, base))
    bundle = result.bundle
    world.console.say(f"   model {model.id}: {NAME}@{model.version}, bundle {bundle.cid.text}")
    world.console.say(
        f"   of each price's model part {ROYALTY_PPM / 10_000:.0f} % go to its parent, {BASE_NAME}"
    )
    return {
        "base_name": BASE_NAME,
        "base_model_id": base.id,
        "name": NAME,
        "model_id": model.id,
        "bundle_cid": bundle.cid.text,
        "recipe_digest": "0x" + result.recipe_digest.hex(),
        "index_digest": "0x" + result.index_digest.hex(),
    }


def _registry(world: World, name: str) -> ModelRegistry:
    contracts = ModelContracts(world.chain, world.transactor(name))
    return ModelRegistry(ModelTable(world.core.database), world.core.blobs, contracts)


def _specialist(
    world: World, registry: ModelRegistry, result: TrainingResult, base: RegisteredModel
) -> RegisteredModel:
    trained_on = world.journal["datanet"]
    key = version_key(trained_on["datanet"], trained_on["version"])
    return registry.register_trained(NAME, key, result, RATES, ((base.id, ROYALTY_PPM),))


def _once(registry: ModelRegistry, name: str, make: Any) -> RegisteredModel:
    try:
        return registry.find(name)
    except NotFound:
        return make()
