"""Answering at the gateway: which receipt is an answer, and where the money goes."""

from dataclasses import astuple
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from node.chain.keccak import keccak
from protocol.pricing import Rates, price
from protocol.receipt import hash_receipt, request_id
from tests.contracts.asking import ANSWER, Asked, ask
from tests.contracts.models.test_model_registry import registry
from tests.contracts.world import World, reverts, rewound


def test_an_answer_pays_the_node_and_gives_the_rest_back(world: World) -> None:
    """SPEC 6.86: a fulfilled request funds its node by the receipt's price and repays the rest."""
    asked = ask(world, 100)
    before = world.balance("payer")
    locked = world.staking.functions.freeStake(world.address("node")).call()
    receipt = asked.receipt(30)
    mined = world.send(asked.answer(receipt), "node")
    (event,) = world.events(mined, world.gateway, "InferenceFulfilled")
    epoch = world.settlement.functions.currentEpoch().call()
    found = (event["id"], event["price"], event["epoch"], event["receiptHash"], event["outputCid"])
    assert found == (asked.id, 30, epoch, hash_receipt(receipt, keccak), ANSWER)
    assert world.settlement.functions.funded(epoch, world.address("node")).call() == 30
    assert world.balance(world.distributor.address) == 30
    assert world.balance("payer") == before + 70
    assert world.balance(world.gateway.address) == 0
    ratio = world.settings.stake_to_fees
    assert locked - world.staking.functions.freeStake(world.address("node")).call() == 30 * ratio
    result = world.gateway.functions.resultOf(asked.id).call()
    assert result == [ANSWER, hash_receipt(receipt, keccak), 30]


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(max_price=st.integers(1, 10**20), part=st.integers(0, 10**6))
def test_nothing_stays_behind(world: World, max_price: int, part: int) -> None:
    """SPEC 6.86: price and surplus make the escrow, to the wei."""
    paid = max_price * part // 10**6
    with rewound(world):
        asked = ask(world, max_price)
        held = world.balance("payer")
        tokens = {"prompt_tokens": 2**32 - 1, "output_tokens": 2**32 - 1}
        asked.fulfil(paid, **tokens)
        assert world.balance(world.gateway.address) == 0
        assert world.balance(world.distributor.address) == paid
        assert world.balance("payer") == held + max_price - paid


def test_the_receipts_request_id_is_that_of_the_empty_key(world: World) -> None:
    """SPEC 6.81: a request's receipt has the id of the empty idempotency key in channel `id`."""
    asked = ask(world)
    found = world.gateway.functions.receiptRequestId(asked.id).call()
    assert found == request_id(asked.id, "", keccak)


WRONG: list[tuple[str, Any, str]] = [
    ("request_id", b"\x01" * 32, "InferenceGatewayOtherRequest"),
    ("channel_id", b"\x01" * 32, "InferenceGatewayOtherRequest"),
    ("seq", 2, "InferenceGatewayNotOneShot"),
    ("model_id", 2, "InferenceGatewayOtherModel"),
    ("node", "0x" + "11" * 20, "InferenceGatewayOtherNode"),
    ("cumulative", 31, "InferenceGatewayNotOneShot"),
    ("parameters_version", 2, "InferenceGatewayOtherParameters"),
]


@pytest.mark.parametrize(("field", "value", "error"), WRONG, ids=[row[0] for row in WRONG])
def test_a_receipt_of_anything_else_is_no_answer(world: World, field: str, value: Any, error: str) -> None:
    """SPEC 6.87: a receipt answers only the request, node, model, parameters and time that it names."""
    asked = ask(world)
    with reverts(error):
        asked.fulfil(**{field: value})
    assert asked.status == "pending"


@pytest.mark.parametrize(("asking", "accepted"), [(100, True), (101, False), (0, True)])
def test_the_price_is_at_most_the_escrow(world: World, asking: int, accepted: bool) -> None:
    """SPEC 6.87: the price is at most the request's highest."""
    asked = ask(world, 100)
    if accepted:
        asked.fulfil(asking)
        return
    with reverts("InferenceGatewayOverPrice", asked.id, asking, 100):
        asked.fulfil(asking)


@pytest.mark.parametrize(("over", "accepted"), [(0, True), (1, False)])
@pytest.mark.parametrize("tokens", [(0, 0), (1, 0), (0, 1), (1_001, 3)])
def test_the_price_is_at_most_what_the_model_costs(
    world: World, tokens: tuple[int, int], over: int, accepted: bool
) -> None:
    """SPEC 6.87: the price is at most what the model's price at requestedAt makes of the tokens."""
    asked = ask(world, 10**18)
    rates = Rates(3, 10**14 + 1, 7)
    world.send(registry(world).functions.setPrice(asked.model, *astuple(rates)), "model_owner")
    asked = ask(world, 10**18)
    world.send(registry(world).functions.setPrice(asked.model, 10**17, 10**17, 10**17), "model_owner")
    quote = price(*tokens, rates)
    call = asked.answer(asked.receipt(quote + over, prompt_tokens=tokens[0], output_tokens=tokens[1]))
    if accepted:
        world.send(call, "node")
        return
    with reverts("InferenceGatewayOverQuote", asked.id, quote + 1, quote):
        world.send(call, "node")


@pytest.mark.parametrize(
    ("requested", "issued", "accepted"),
    [(0, 0, True), (1, 1, False), (-1, 0, False), (0, -1, False), (0, 89, True), (0, 90, False)],
)
def test_the_receipt_names_the_requests_time(
    world: World, requested: int, issued: int, accepted: bool
) -> None:
    """SPEC 6.87: requestedAt is the request's block time and issuedAt lies in [requestedAt, deadline)."""
    asked = ask(world)
    start = asked.requested_at
    issued_at = start + issued if issued < 89 else asked.deadline - 90 + issued
    times = {"requested_at": start + requested, "issued_at": issued_at}
    if accepted:
        asked.fulfil(**times)
        return
    with reverts("InferenceGatewayOtherTime", asked.id, *times.values()):
        asked.fulfil(**times)


@pytest.mark.parametrize(("offset", "accepted"), [(-1, True), (0, False)])
def test_an_answer_comes_before_the_deadline(world: World, offset: int, accepted: bool) -> None:
    """SPEC 6.88: a request is answered while now < deadline."""
    asked = ask(world)
    if accepted:
        asked.fulfil(at=asked.deadline + offset)
        return
    with reverts("InferenceGatewayDeadlinePassed", asked.id, asked.deadline):
        asked.fulfil(at=asked.deadline + offset)


def test_an_answer_is_given_once(world: World) -> None:
    """SPEC 6.88: a request ends once, answered or refunded."""
    asked = ask(world)
    asked.fulfil()
    with reverts("InferenceGatewayNotPending", asked.id, 2):
        asked.fulfil()
    with reverts("InferenceGatewayNotPending", asked.id, 2):
        asked.refund(at=asked.deadline)
    unknown = Asked(world, b"\x05" * 32, asked.model, asked.requested_at, asked.deadline)
    with reverts("InferenceGatewayUnknownRequest", unknown.id):
        unknown.fulfil()


def test_only_the_node_and_its_signers_answer(world: World) -> None:
    """SPEC 6.89: a request is answered by its node or a signer of it, with a receipt such a one signed."""
    asked = ask(world)
    world.stake("other_node")
    for sender in ("stranger", "other_node", "payer"):
        with reverts("InferenceGatewayNotNode", asked.id, world.address(sender), world.address("node")):
            asked.fulfil(sender=sender)
    with reverts("InferenceGatewayBadSignature", asked.id, world.address("other_node")):
        world.send(asked.answer(asked.receipt(), signer="other_node"), "node")
    world.authorize("node", "hot_signer")
    world.send(asked.answer(asked.receipt(), signer="hot_signer"), "hot_signer")
    assert asked.status == "fulfilled"


@pytest.mark.parametrize("cid", [b"", b"\x01" * 97])
def test_an_answer_has_an_address_of_bounded_length(world: World, cid: bytes) -> None:
    asked = ask(world)
    with reverts("BoundedBytesEmpty" if not cid else "BoundedBytesTooLong"):
        world.send(asked.answer(asked.receipt(), cid=cid), "node")


def test_a_node_without_free_stake_cannot_take_the_fee(world: World) -> None:
    """SPEC 6.60: stake is locked in proportion to every fee, or the fee does not move."""
    free = 100_000 * 10**18
    asked = ask(world, free)
    most = free // world.settings.stake_to_fees
    tokens = {"prompt_tokens": 2**32 - 1, "output_tokens": 2**32 - 1}
    with reverts("NodeStakingLockExceedsStake"):
        asked.fulfil(most + 1, **tokens)
    asked.fulfil(most, **tokens)
