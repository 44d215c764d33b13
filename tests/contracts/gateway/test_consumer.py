"""The example consumer: a user asks through it, and gets the answer and the change."""

import pytest
from web3.contract import Contract

from node.chain.keccak import keccak
from protocol.receipt import hash_receipt
from tests.contracts.asking import ANSWER, CALLBACK_GAS, DURATION, PROMPT, Asked, asked_by, deploy, prepare
from tests.contracts.world import World, reverts


@pytest.fixture
def box(world: World) -> Contract:
    return consumer(world, CALLBACK_GAS)


def consumer(world: World, gas: int) -> Contract:
    return deploy(world, "InferenceConsumer", world.gateway.address, world.token.address, gas)


def ask(world: World, box: Contract) -> Asked:
    model = prepare(world)
    world.fund("payer", 100, box)
    call = box.functions.ask(world.address("node"), model, PROMPT, 100, world.now + DURATION)
    return asked_by(world, world.send(call, "payer"), model)


def test_a_user_is_answered_and_repaid(world: World, box: Contract) -> None:
    """SPEC 6.91: a contract asks, pays, is called back with the answer, and gets what is left."""
    asked = ask(world, box)
    before = world.balance("payer")
    receipt = asked.receipt(30)
    mined = world.send(asked.answer(receipt), "node")
    (event,) = world.events(mined, box, "Answered")
    assert (event["answerCid"], event["returned"]) == (ANSWER, 70)
    assert world.balance("payer") == before + 70
    found = box.functions.getQuestion(asked.id).call()
    assert tuple(found) == (world.address("payer"), 0, hash_receipt(receipt, keccak), ANSWER)
    with reverts("InferenceConsumerNotOpen", asked.id):
        world.send(box.functions.collect(asked.id), "stranger")


def test_a_refunded_question_is_repaid_whole(world: World, box: Contract) -> None:
    """SPEC 6.90: a refund reaches the user through the contract that asked."""
    asked = ask(world, box)
    with reverts("InferenceConsumerStillPending", asked.id):
        world.send(box.functions.collect(asked.id), "stranger")
    before = world.balance("payer")
    asked.refund(at=asked.deadline)
    world.send(box.functions.collect(asked.id), "stranger")
    assert world.balance("payer") == before + 100
    with reverts("InferenceConsumerNotOpen", asked.id):
        world.send(box.functions.collect(asked.id), "stranger")


def test_a_question_whose_callback_failed_is_collected(world: World) -> None:
    """SPEC 6.92: what a failed callback did not deliver, the contract reads at the gateway."""
    box = consumer(world, gas=30_000)
    asked = ask(world, box)
    before = world.balance("payer")
    (event,) = world.events(asked.fulfil(), world.gateway, "InferenceDelivered")
    assert not event["success"]
    assert world.balance("payer") == before
    world.send(box.functions.collect(asked.id), "stranger")
    assert box.functions.getQuestion(asked.id).call()[3] == ANSWER
    assert world.balance("payer") == before + 70


def test_the_longest_address_fits_the_callback(world: World, box: Contract) -> None:
    asked = ask(world, box)
    longest = b"\x09" * 96
    world.send(asked.answer(asked.receipt(), cid=longest), "node")
    assert box.functions.getQuestion(asked.id).call()[3] == longest


def test_only_the_gateway_delivers(world: World, box: Contract) -> None:
    asked = ask(world, box)
    with reverts("InferenceConsumerNotGateway", world.address("stranger")):
        world.send(box.functions.onInference(asked.id, ANSWER, bytes(32), 0), "stranger")
