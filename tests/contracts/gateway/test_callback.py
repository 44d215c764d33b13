"""The requester's own code: whatever it does, money moves as it should and the answer is readable."""

from typing import Any

import pytest
from web3.contract import Contract

from node.chain.keccak import keccak
from tests.contracts.asking import ANSWER, CALLBACK_GAS, DURATION, PROMPT, Asked, ask, ask_through, consumer
from tests.contracts.world import Mined, World, reverts, rewound

ACCEPT, REVERT, BURN_GAS, RETURN_BOMB, REVERT_BOMB, CALL_GATEWAY = range(6)
FIXED_GAS = 700_000


def delivered(world: World, mined: Mined) -> bool:
    (event,) = world.events(mined, world.gateway, "InferenceDelivered")
    return bool(event["success"])


def selector(signature: str) -> bytes:
    return keccak(signature.encode())[:4]


def check_settled(world: World, asked: Asked, asker: Contract, before: int) -> None:
    assert asked.status == "fulfilled"
    assert world.gateway.functions.resultOf(asked.id).call()[0] == ANSWER
    assert world.balance(asker.address) == before + 70
    epoch = world.settlement.functions.currentEpoch().call()
    assert world.settlement.functions.funded(epoch, world.address("node")).call() == 30
    assert world.balance(world.gateway.address) == 0


def test_a_requester_is_called_back(world: World) -> None:
    """SPEC 6.91: a requester with code is called back once, with the gas that it asked for."""
    asker = consumer(world)
    asked = ask_through(world, asker)
    mined = asked.fulfil()
    assert delivered(world, mined)
    assert asker.functions.seenId().call() == asked.id
    assert CALLBACK_GAS - 1_000 < asker.functions.seenGas().call() <= CALLBACK_GAS


@pytest.mark.parametrize(
    "mode", [REVERT, BURN_GAS, RETURN_BOMB, REVERT_BOMB], ids=["revert", "burn", "return", "revert bomb"]
)
def test_a_failed_callback_loses_nothing(world: World, mode: int) -> None:
    """SPEC 6.92: a callback that fails undoes nothing, costs its gas at most, and the answer stays."""
    asker = consumer(world, mode)
    asked = ask_through(world, asker)
    before = world.balance(asker.address)
    mined = asked.fulfil()
    assert delivered(world, mined) == (mode == RETURN_BOMB)
    check_settled(world, asked, asker, before)
    assert mined.gas < FIXED_GAS + CALLBACK_GAS


@pytest.mark.parametrize("what", ["fulfil", "refund"])
def test_a_callback_cannot_reenter(world: World, what: str) -> None:
    """SPEC 6.93: neither answers nor refunds are reached from within a callback."""
    asker = consumer(world, CALL_GATEWAY)
    first, second = ask_through(world, asker), ask_through(world, asker)
    again = {"fulfil": second.answer(second.receipt()), "refund": world.gateway.functions.refund(second.id)}
    following = again[what]._encode_transaction_data()
    world.send(asker.functions.setMode(CALL_GATEWAY, following), "stranger")
    before = world.balance(asker.address)
    assert delivered(world, first.fulfil())
    assert asker.functions.answered().call() == selector("ReentrancyGuardReentrantCall()")
    assert second.status == "pending"
    assert world.balance(asker.address) == before + 70
    assert world.balance(world.gateway.address) == 100


def test_a_consumer_may_ask_again_from_its_callback(world: World) -> None:
    """SPEC 6.93: a new request may be made from within a callback."""
    asker = consumer(world)
    asked = ask_through(world, asker, callback_gas=500_000)
    arguments = (world.address("node"), asked.model, PROMPT, 60, world.now + 2 * DURATION, 0)
    following = world.gateway.functions.request(*arguments)._encode_transaction_data()
    world.send(asker.functions.setMode(CALL_GATEWAY, following), "stranger")
    assert delivered(world, asked.fulfil())
    again = asker.functions.answered().call()
    assert world.gateway.functions.getRequest(again).call()[0] == asker.address
    assert world.balance(world.gateway.address) == 60


def test_no_gas_or_no_code_means_no_callback(world: World) -> None:
    asker = consumer(world, REVERT)
    for asked in (ask_through(world, asker, callback_gas=0), ask(world, callback_gas=50_000)):
        assert world.events(asked.fulfil(), world.gateway, "InferenceDelivered") == []


def test_nobody_but_the_requester_pays_for_what_it_returns(world: World) -> None:
    """SPEC 6.92: return data are not copied, so that their length costs the node nothing."""
    gas = {}
    for mode in (ACCEPT, ACCEPT, RETURN_BOMB):
        gas[mode] = ask_through(world, consumer(world, mode)).fulfil().gas
    assert gas[RETURN_BOMB] < gas[ACCEPT] + 40_000  # the bomb is worth 57,000, and its maker writes nothing


@pytest.mark.parametrize("callback_gas", [200_000, 500_000])
def test_the_node_cannot_starve_a_callback(world: World, callback_gas: int) -> None:
    """SPEC 6.94: an answer whose gas does not reach for the whole callback reverts."""
    asker = consumer(world)
    asked = ask_through(world, asker, callback_gas=callback_gas)
    call = asked.answer(asked.receipt())
    refused, delivering = 250_000, 1_100_000
    assert not delivers(world, asker, call, refused, callback_gas)
    assert delivers(world, asker, call, delivering, callback_gas)
    while delivering - refused > 100:
        gas = (refused + delivering) // 2
        if delivers(world, asker, call, gas, callback_gas):
            delivering = gas
        else:
            refused = gas


def delivers(world: World, asker: Any, call: Any, gas: int, callback_gas: int) -> bool:
    """Whether an answer with that gas is mined: then its consumer was called, and with all it asked for."""
    with rewound(world):
        digest = call.transact({"from": world.address("node"), "gas": gas})
        receipt = world.web3.eth.wait_for_transaction_receipt(digest, poll_latency=0.005)
        if receipt["status"] == 1:
            assert delivered(world, Mined(0, 0, receipt))
            seen = asker.functions.seenGas().call()
            assert callback_gas - 1_000 < seen <= callback_gas
        return bool(receipt["status"] == 1)


def test_too_little_gas_is_refused_by_name(world: World) -> None:
    """SPEC 6.94: and says how much it needed."""
    asker = consumer(world)
    asked = ask_through(world, asker, callback_gas=500_000)
    call = asked.answer(asked.receipt())
    with reverts("InferenceGatewayGasTooLow"):
        world.call(call, "node", gas=600_000)
