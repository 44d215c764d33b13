"""Rewards that become stake without passing through a wallet."""

import pytest

from node.chain.keccak import keccak
from protocol.rewards import stakers_account
from tests.contracts.epochs import Ledger
from tests.contracts.rewards.claims import claim_of, claim_to_stake, set_minimum
from tests.contracts.world import World, reverts

EARNED = 5 * 10**18


@pytest.mark.parametrize("staker", ["contributor", "node"])
def test_what_was_earned_becomes_the_earners_stake(world: World, ledger: Ledger, staker: str) -> None:
    """SPEC 8.43: the caller's new rewards are staked in its name on the node that it names."""
    final = ledger.settle("node", {staker: EARNED})
    node, who = world.address("node"), world.address(staker)
    before, purse = world.staking.functions.stakeOf(node, who).call(), world.balance(staker)
    mined = claim_to_stake(ledger, final, staker, "node")
    (event,) = world.events(mined, world.distributor, "RewardStaked")
    assert (event["account"], event["node"], event["amount"], event["cumulative"]) == (
        who,
        node,
        EARNED,
        EARNED,
    )
    assert abs(world.staking.functions.stakeOf(node, who).call() - before - EARNED) <= 1
    assert world.balance(staker) == purse
    assert world.balance(world.distributor.address) == 0
    assert world.token.functions.allowance(world.distributor.address, world.staking.address).call() == 0
    assert world.distributor.functions.claimed(who).call() == EARNED


def test_nobody_stakes_anothers_rewards(world: World, ledger: Ledger) -> None:
    """SPEC 8.43: the proof must be the caller's own."""
    final = ledger.settle("node", {"contributor": EARNED, "curator": 1})
    with reverts("RewardDistributorBadProof", world.address("stranger"), EARNED, final.cum_root.digest):
        claim_to_stake(ledger, final, "contributor", "node", sender="stranger")


def test_it_is_paid_once(world: World, ledger: Ledger) -> None:
    """SPEC 8.43: what was staked cannot be claimed, nor the other way round."""
    final = ledger.settle("node", {"contributor": EARNED})
    claim_to_stake(ledger, final, "contributor", "node")
    with reverts("RewardDistributorNothingToClaim", world.address("contributor"), EARNED, EARNED):
        ledger.claim("contributor")
    with reverts("RewardDistributorNothingToClaim", world.address("contributor"), EARNED, EARNED):
        claim_to_stake(ledger, final, "contributor", "node")


def test_ones_own_minimum_does_not_bind_oneself(world: World, ledger: Ledger) -> None:
    """SPEC 8.44"""
    final = ledger.settle("node", {"contributor": EARNED})
    set_minimum(world, "contributor", 2**120 - 1)
    claim_to_stake(ledger, final, "contributor", "node")


def test_the_stakers_of_a_node_are_rewarded_and_not_staked_for(world: World, ledger: Ledger) -> None:
    """SPEC 8.23: claimForStakers refuses another's proof, and pays the pool."""
    stakers = stakers_account(world.plain("node"), keccak)
    final = ledger.settle("node", {"contributor": 300, stakers: 45})
    _, cumulative, proof = claim_of(ledger, final, "contributor")
    with reverts("RewardDistributorBadProof"):
        call = world.distributor.functions.claimForStakers(world.address("node"), cumulative, proof)
        world.send(call, "contributor")
