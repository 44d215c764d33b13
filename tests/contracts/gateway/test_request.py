"""Asking at the gateway: what is escrowed, what is refused."""

import pytest

from node.chain.keccak import keccak
from protocol.escrow import Ask, ask_id
from protocol.types import Address
from tests.contracts.asking import DURATION, PROMPT, ask, prepare
from tests.contracts.models.test_model_registry import DRAFT, registry
from tests.contracts.world import World, reverts

DAYS_30 = 30 * 86_400


def request(world: World, model: int, **changed: object):  # type: ignore[no-untyped-def]
    arguments = {
        "node": world.address("node"),
        "model": model,
        "prompt": PROMPT,
        "max_price": 100,
        "deadline": world.now + DURATION,
        "gas": 0,
    } | changed
    return world.gateway.functions.request(*arguments.values())


def test_a_request_escrows_its_highest_price_and_is_readable(world: World) -> None:
    """SPEC 6.80: a request holds its highest price in escrow until it is answered or refunded."""
    asked = ask(world, 100)
    assert world.balance(world.gateway.address) == 100
    found = world.gateway.functions.getRequest(asked.id).call()
    version = world.parameters.functions.version().call()
    payer, node = world.address("payer"), world.address("node")
    expected = (payer, asked.deadline, 0, node, 100, asked.model, asked.requested_at, version, 0, 1)
    assert tuple(found) == expected
    assert world.gateway.functions.resultOf(asked.id).call() == [b"", bytes(32), 0]


def test_equal_requests_have_different_ids(world: World) -> None:
    """SPEC 6.81: a request's id binds all that was asked, its order, contract and chain."""
    first, second = ask(world), ask(world)
    gateway = Address(world.record["contracts"]["InferenceGateway"])
    for count, asked in enumerate((first, second), start=1):
        terms = Ask(world.plain("payer"), world.plain("node"), asked.model, PROMPT, 100, asked.deadline, 0)
        assert asked.id == ask_id(terms, count, world.chain_id, gateway, keccak)
    assert first.id != second.id
    assert world.gateway.functions.requestCount().call() == 2


@pytest.mark.parametrize(
    ("changed", "error"),
    [
        ({"max_price": 0}, "InferenceGatewayZeroPrice"),
        ({"prompt": b""}, "BoundedBytesEmpty"),
        ({"prompt": b"\x01" * 97}, "BoundedBytesTooLong"),
        ({"max_price": 2**96}, "SafeCastOverflowedUintDowncast"),
    ],
)
def test_terms_that_mean_nothing_are_refused(world: World, changed: dict[str, object], error: str) -> None:
    model = prepare(world)
    with reverts(error):
        world.send(request(world, model, **changed), "payer")


@pytest.mark.parametrize(
    ("after", "accepted"), [(0, False), (1, True), (DAYS_30, True), (DAYS_30 + 1, False)]
)
def test_a_deadline_lies_ahead_and_within_thirty_days(world: World, after: int, accepted: bool) -> None:
    """SPEC 6.82: a request's deadline is later than now and at most 30 days away."""
    model = prepare(world)
    world.fund("payer", 100, world.gateway)
    at = world.now + 1
    call = request(world, model, deadline=at + after)
    if accepted:
        world.send(call, "payer", at)
        return
    with reverts("InferenceGatewayDeadlineOutOfBounds", at + after, at, at + DAYS_30):
        world.send(call, "payer", at)


def test_callback_gas_is_bounded_by_the_parameter(world: World) -> None:
    """SPEC 6.83: a request's callback gas is at most the parameter maxCallbackGas."""
    model = prepare(world)
    world.fund("payer", 100, world.gateway)
    world.send(request(world, model, gas=500_000), "payer")
    with reverts("InferenceGatewayCallbackGasTooHigh", 500_001, 500_000):
        world.send(request(world, model, gas=500_001), "payer")


def test_nodes_and_models_must_be_there(world: World) -> None:
    model = prepare(world)
    stranger = world.address("stranger")
    with reverts("InferenceGatewayUnknownNode", stranger):
        world.send(request(world, model, node=stranger), "payer")
    with reverts("ModelRegistryUnknownModel", 9):
        world.send(request(world, 9), "payer")


def test_a_model_that_is_not_served_cannot_be_asked(world: World) -> None:
    """SPEC 6.84: only a live model can be asked."""
    model = prepare(world)
    world.send(registry(world).functions.setStatus(model, DRAFT), "model_owner")
    with reverts("InferenceGatewayModelNotLive", model):
        world.send(request(world, model), "payer")


def test_a_pause_stops_new_requests_and_nothing_else(world: World) -> None:
    """SPEC 6.85: a pause stops new requests; answers and refunds go on."""
    answered, left = ask(world), ask(world)
    guardian = world.contract("Guardian")
    world.send(guardian.functions.pause(world.gateway.address), "guardian")
    with reverts("InferenceGatewayPaused"):
        world.send(request(world, answered.model), "payer")
    answered.fulfil()
    left.refund(at=left.deadline)
    assert (answered.status, left.status) == ("fulfilled", "refunded")
