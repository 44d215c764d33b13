"""Paid answers on real contracts: where every wei goes, from a deposit to the last claim."""

import asyncio

import pytest

from node.chain.keccak import keccak
from node.chain.signer import recover_receipt
from node.errors import InvalidInput
from node.receipts.issuer import stored_receipt
from node.receipts.log import stored_report, stored_terms
from node.settlement.aggregator import StakeTooSmall
from node.settlement.statements import Payable, build_statement
from node.store.epochs import EpochStore
from protocol.attribution import attribution_root
from protocol.epoch import statement_root
from protocol.epoch_json import encode_statement
from protocol.parameters import BURN_ACCOUNT
from protocol.receipt import receipts_sum_root
from protocol.rewards import receipt_lines, stakers_account
from tests.integration.ledger_world import SETTINGS, STAKE
from tests.integration.running_node import Node


async def test_every_wei_of_a_deposit_is_claimed_by_who_earned_it_or_still_there(node: Node) -> None:
    """SPEC 7.40, 8.40: what the payer paid is what earners, stakers, treasury and the burn got."""
    world, prices = node.world, []
    for question in ("one", "two", "three"):
        _, finished, receipt = await node.ask(node.request(question))
        assert finished.price == receipt.price
        prices.append(receipt.price)
    await node.settle_until_final()
    channel = world.contract("PaymentChannels").functions.getChannel(node.prepared.channel_id).call()
    assert channel[4] == sum(prices)
    supply = world.contract("OpenToken").functions.totalSupply().call()
    paid = await node.claim_all()
    assert sum(paid.values()) == sum(prices)
    assert world.balance(world.contract("RewardDistributor").address) == 0
    assert world.contract("OpenToken").functions.totalSupply().call() == supply - paid[BURN_ACCOUNT]


async def test_each_earner_gets_what_its_answers_lines_add_up_to_and_no_more(node: Node) -> None:
    """SPEC 8.40: equal to adding the protocol's lines of every receipt; a claim repeated moves nothing."""
    expected: dict[str, int] = {}
    for question in ("one", "two", "three", "four"):
        _, _, stored = await node.ask(node.request(question))
        receipt, parameters = stored_receipt(stored), node.core.parameters.current()
        for line in receipt_lines(
            receipt, receipt.price, stored_report(stored), stored_terms(stored), parameters
        ):
            expected[line.earner] = expected.get(line.earner, 0) + line.amount
    await node.settle_until_final()
    for earner in node.core.earnings.earners():
        assert earner.accrued == earner.stated == expected[earner.account]
    assert await node.claim_all() == expected
    assert set((await node.claim_all()).values()) == {0}
    alice = node.core.earnings.of(node.world.plain("alice"))
    assert alice.claimed == alice.final == sum(line.amount for line in alice.lines) > 0
    assert {line.request_id for line in alice.lines} == {one.request_id for one in alice.accruals}


async def test_stakers_take_the_parts_of_their_stakes(node: Node) -> None:
    """SPEC 8.41"""
    await node.ask(node.request("one"))
    await node.settle_until_final()
    paid = (await node.claim_all())[stakers_account(node.core.node, keccak)]
    node.world.advance(SETTINGS.reward_drip)
    operator, staker = [
        await asyncio.to_thread(node.core.staking.position, node.core.node, node.world.plain(actor))
        for actor in ("operator", "staker")
    ]
    assert operator.node_total == operator.staked + staker.staked
    assert abs(operator.pending_rewards - paid * operator.staked // operator.node_total) <= 1
    assert abs(staker.pending_rewards - paid * staker.staked // staker.node_total) <= 1
    before = node.world.balance(node.core.node)
    await asyncio.to_thread(node.core.staking.claim_rewards, node.core.node)
    assert node.world.balance(node.core.node) - before == operator.pending_rewards


async def test_epochs_add_up_over_several_of_them(node: Node) -> None:
    """SPEC 7.41, 7.42: each epoch states its own answers, and the last root holds them all."""
    prices = []
    for question in ("one", "two", "three"):
        _, _, receipt = await node.ask(node.request(question))
        prices.append(receipt.price)
        await node.turn()
        node.world.advance(SETTINGS.epoch_length)
    await node.settle_until_final()
    settlement = node.world.contract("EpochSettlement").functions
    commitments = EpochStore(node.core.database).commitments()
    assert [one.total for one in commitments] == [sum(prices[:count]) for count in (1, 2, 3)]
    assert settlement.latestFinal().call()[2] == sum(prices)
    assert sum((await node.claim_all()).values()) == sum(prices)


async def test_anyone_can_check_a_receipt_and_the_chain_agrees(node: Node) -> None:
    """SPEC 6.50: signer and report by the protocol, membership by the final root on chain."""
    _, _, stored = await node.ask(node.request("one"))
    record = node.core.receipts.record(stored.request_id)
    assert record is not None
    assert record.signature is not None
    signer = recover_receipt(record.receipt, record.signature, node.world.receipts_domain)
    assert signer == node.world.receipt_signer.address
    assert await asyncio.to_thread(node.core.staking.is_signer, node.core.node, signer)
    assert attribution_root(record.report, keccak) == record.receipt.attribution_root
    assert record.report.method_id == record.receipt.method_id
    with pytest.raises(InvalidInput):
        recover_receipt(record.receipt, record.signature[:-1] + b"\x00", node.world.receipts_domain)


async def test_money_that_others_left_behind_is_rolled_over_and_still_paid(node: Node) -> None:
    """SPEC 7.42: an epoch that closed without this node's statement is stated later, to the wei."""
    _, _, receipt = await node.ask(node.request("one"))
    await node.turn()
    late = int(node.world.contract("EpochSettlement").functions.currentEpoch().call())
    node.world.advance(SETTINGS.epoch_length)
    other = await asyncio.to_thread(state_for_another_node, node)
    closed = node.world.contract("EpochSettlement").functions.funded(late, node.world.accounts["operator"])
    assert closed.call() == receipt.price
    await node.settle_until_final()
    assert closed.call() == 0
    assert [one.from_epoch for one in EpochStore(node.core.database).rollovers()] == [late]
    paid = await node.claim_all()
    assert sum(paid.values()) == receipt.price + other


def state_for_another_node(node: Node) -> int:
    """Another node serves one answer, claims it in the running epoch and states it in the next; the wei it
    earned.
    """
    world = node.world
    like = node.core.receipts.page(1)[0]
    other = world.other_node("stranger")
    receipt = other.receipt(like.receipt)
    epoch = other.claim(receipt)
    world.advance(SETTINGS.epoch_length)
    payable = Payable(receipt, like.report, like.terms, node.core.parameters.current())
    ranges = {receipt.channel_id: [(0, receipt.price)]}
    statement = build_statement(receipt.node, epoch, ranges, {receipt.channel_id: [payable]})
    root = statement_root(statement, keccak)
    cid = node.core.blobs.put(encode_statement(statement))
    receipts_root = receipts_sum_root(statement.receipts, keccak).digest
    publish = world.contract("EpochSettlement").functions.publishStatement
    world.send("stranger", publish(epoch, root.digest, root.count, root.total, receipts_root, cid.binary))
    return receipt.price


async def test_a_node_without_the_bond_says_what_is_missing(node: Node) -> None:
    """SPEC 7.72: it states all the same, and commits once it has the stake."""
    world = node.world
    await node.ask(node.request("one"))
    await node.turn()
    operator, staking = world.accounts["operator"], world.contract("NodeStaking").functions
    own, free = staking.ownStake(operator).call(), staking.freeStake(operator).call()
    left = SETTINGS.commit_bond // 2
    shares = staking.sharesOf(operator, operator).call() * (free - left) // own
    world.send("operator", staking.unbond(operator, shares))
    world.advance(SETTINGS.epoch_length)
    with pytest.raises(StakeTooSmall, match="own stake") as found:
        await node.turn()
    assert found.value.facts["bond"] == SETTINGS.commit_bond > found.value.facts["free"]
    assert await asyncio.to_thread(node.core.settlement.open_work)
    token = world.contract("OpenToken").functions
    world.give("operator", STAKE)
    world.send("operator", token.approve(world.contract("NodeStaking").address, STAKE))
    world.send("operator", staking.stake(operator, STAKE))
    await node.settle_until_final()


@pytest.mark.parametrize("questions", [0, 1])
async def test_a_node_with_nothing_to_settle_does_nothing(node: Node, questions: int) -> None:
    """SPEC 7.41: turns beyond the last step send no transaction."""
    for number in range(questions):
        await node.ask(node.request(str(number)))
    await node.settle_until_final()
    operator = node.world.accounts["operator"]
    sent = node.world.web3.eth.get_transaction_count(operator)
    for _ in range(3):
        node.world.advance(SETTINGS.epoch_length)
        assert not await node.turn()
    assert node.world.web3.eth.get_transaction_count(operator) == sent
