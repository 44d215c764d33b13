"""A vote changes what a running node does, and nothing that it did before."""

import asyncio

import pytest

from node.chain.keccak import keccak
from node.errors import ChainReverted, NotFound
from node.governance.proposals import AGAINST, FOR, split_call, value_call
from node.receipts.issuer import stored_receipt
from node.receipts.log import stored_report, stored_terms
from protocol.attribution import Lane
from protocol.parameters import DEFAULTS, Split
from protocol.rewards import receipt_lines
from tests.integration.ledger_world import SETTINGS, LedgerWorld
from tests.integration.running_node import Node

NEW_SPLIT = Split(10_000, 20_000, 100_000, 70_000, 100_000, 700_000)
VOTES = 50_000_000 * 10**18


def give_votes(world: LedgerWorld) -> None:
    """The operator holds and delegates to itself enough for any quorum."""
    world.give("operator", VOTES)
    world.send("operator", world.contract("OpenToken").functions.delegate(world.accounts["operator"]))
    world.advance(2)


async def pass_vote(node: Node, *, support: int = FOR) -> int:
    """Propose a new split and a new weight, vote, and let the voting end."""
    proposals, parameters = node.core.proposals, node.world.contract("ProtocolParameters")
    give_votes(node.world)
    calls = (
        split_call(parameters, NEW_SPLIT),
        value_call(parameters, keccak(b"labourPpm"), 50_000),
    )
    proposal_id = await asyncio.to_thread(proposals.propose, calls, "# More for data\nAnd less for labour.")
    assert proposals.state(proposal_id) == "pending"
    node.world.advance(SETTINGS.voting_delay + 1)
    assert proposals.state(proposal_id) == "active"
    await asyncio.to_thread(proposals.vote, proposal_id, support, "because")
    node.world.advance(SETTINGS.voting_period + SETTINGS.late_quorum_extension + 1)
    return proposal_id


async def until_version(node: Node, version: int) -> None:
    """The node notices by itself: nobody tells it and nobody restarts it."""
    async with asyncio.timeout(20):
        while node.core.parameters.current().version != version:  # noqa: ASYNC110 the chain tells nobody
            await asyncio.sleep(0.05)


async def test_a_passed_vote_is_obeyed_by_the_running_node_from_the_next_request_on(node: Node) -> None:
    """SPEC 9.40, 9.41"""
    _, _, before = await node.ask(node.request("before"))
    proposals = node.core.proposals
    proposal_id = await pass_vote(node)
    assert proposals.state(proposal_id) == "succeeded"
    assert node.core.parameters.refresh() == 1
    await asyncio.to_thread(proposals.queue, proposal_id)
    assert proposals.state(proposal_id) == "queued"
    node.world.advance(SETTINGS.timelock_delay + 1)
    await asyncio.to_thread(proposals.execute, proposal_id)
    assert proposals.state(proposal_id) == "executed"
    await until_version(node, 3)
    _, _, after = await node.ask(node.request("after"))
    assert [stored_receipt(one).parameters_version for one in (before, after)] == [1, 3]
    rules = node.core.parameters.at(3)
    assert (rules.split, rules.labour_ppm) == (NEW_SPLIT, 50_000)
    assert node.core.parameters.at(1) == DEFAULTS
    expected: dict[str, int] = {}
    for stored, parameters in ((before, DEFAULTS), (after, rules)):
        receipt, report, terms = stored_receipt(stored), stored_report(stored), stored_terms(stored)
        for line in receipt_lines(receipt, receipt.price, report, terms, parameters):
            expected[line.earner] = expected.get(line.earner, 0) + line.amount
    await node.settle_until_final()
    assert await node.claim_all() == expected


async def test_a_lost_vote_changes_nothing(node: Node) -> None:
    """SPEC 9.41"""
    proposal_id = await pass_vote(node, support=AGAINST)
    proposals = node.core.proposals
    assert proposals.state(proposal_id) == "defeated"
    with pytest.raises(ChainReverted):
        await asyncio.to_thread(proposals.queue, proposal_id)
    listed = proposals.get(proposal_id)
    assert listed.in_favour == listed.abstain == 0
    assert listed.against >= VOTES
    assert listed.description.startswith("# More for data")
    assert [call.target.lower() for call in listed.calls] == [
        node.world.record["contracts"]["ProtocolParameters"]
    ] * 2
    assert node.core.parameters.refresh() == 1
    with pytest.raises(NotFound):
        proposals.get(proposal_id + 1)


async def test_the_mirror_reads_each_version_as_the_protocol_has_it(node: Node) -> None:
    """SPEC 9.40"""
    current = node.core.parameters.current()
    assert current == DEFAULTS
    assert set(current.lane_weights) == {Lane.GRADIENT, Lane.SPAN, Lane.RETRIEVAL}
    values = node.core.parameters.tunables(1)
    assert values["maxBatch"] == SETTINGS.max_batch
    assert values["unbondingPeriod"] == SETTINGS.unbonding_period
    treasury = node.core.parameters.treasury_at(1)
    assert treasury == node.world.record["contracts"]["OpenTimelock"]
