"""Claims of many accounts, relayed in one transaction."""

import pytest

from node.chain.keccak import keccak
from protocol.parameters import BURN_ACCOUNT
from protocol.rewards import stakers_account
from tests.contracts.epochs import Ledger
from tests.contracts.rewards.claims import claim_many, claim_of, set_minimum
from tests.contracts.world import World, reverts


def test_each_account_gets_its_own_whoever_sends(world: World, ledger: Ledger) -> None:
    """SPEC 8.42: a batch pays each account, the stakers' pool and the burn as single claims do."""
    stakers = stakers_account(world.plain("node"), keccak)
    final = ledger.settle("node", {"contributor": 300, "curator": 5, BURN_ACCOUNT: 45, stakers: 25})
    supply = world.token.functions.totalSupply().call()
    claim_many(ledger, final, ["contributor", "curator", BURN_ACCOUNT, stakers])
    assert (world.balance("contributor"), world.balance("curator"), world.balance("stranger")) == (300, 5, 0)
    assert supply - world.token.functions.totalSupply().call() == 45
    assert world.balance(stakers) == 0
    world.pass_to(world.now + world.settings.reward_drip)
    assert world.staking.functions.pendingRewards(world.address("node"), world.address("node")).call() == 25
    assert world.distributor.functions.totalClaimed().call() == final.total
    assert world.balance(world.distributor.address) == 0


def test_what_has_nothing_new_is_passed_over(world: World, ledger: Ledger) -> None:
    """SPEC 8.42: claiming a part first, or naming an account twice, spoils nobody's batch."""
    final = ledger.settle("node", {"contributor": 300, "curator": 5})
    ledger.claim("curator", sender="stranger")
    claim_many(ledger, final, ["curator", "contributor", "contributor"])
    assert (world.balance("contributor"), world.balance("curator")) == (300, 5)
    mined = claim_many(ledger, final, ["curator", "contributor"])
    assert world.events(mined, world.distributor, "RewardClaimed") == []


def test_what_an_account_does_not_let_others_relay_is_passed_over(world: World, ledger: Ledger) -> None:
    """SPEC 8.44: a batch leaves out what is below its account's minimum, unless the account sends it."""
    final = ledger.settle("node", {"contributor": 300, "curator": 5})
    set_minimum(world, "curator", 6)
    claim_many(ledger, final, ["curator", "contributor"])
    assert (world.balance("contributor"), world.balance("curator")) == (300, 0)
    claim_many(ledger, final, ["curator"], sender="curator")
    assert world.balance("curator") == 5


def test_a_wrong_proof_spoils_the_batch(world: World, ledger: Ledger) -> None:
    """SPEC 8.21: nothing is paid on the word of its neighbours."""
    final = ledger.settle("node", {"contributor": 300, "curator": 5})
    account, cumulative, proof = claim_of(ledger, final, "contributor")
    good = claim_of(ledger, final, "curator")
    with reverts("RewardDistributorBadProof", account, cumulative + 1, final.cum_root.digest):
        call = world.distributor.functions.claimMany([good, (account, cumulative + 1, proof)])
        world.send(call, "stranger")
    assert world.balance("curator") == 0


@pytest.mark.parametrize(("count", "accepted"), [(0, True), (64, True), (65, False)])
def test_a_batch_is_bounded(world: World, ledger: Ledger, count: int, accepted: bool) -> None:
    """SPEC 8.42: a batch has at most 64 claims."""
    final = ledger.settle("node", {"contributor": 300, "curator": 5})
    accounts = ["contributor"] * count
    if accepted:
        claim_many(ledger, final, accounts)
        assert world.balance("contributor") == (300 if count else 0)
        return
    with reverts("RewardDistributorBatch", count, 64):
        claim_many(ledger, final, accounts)
