"""Claims against the final root."""

import pytest

from node.chain.keccak import keccak
from protocol.epoch import claim_proof
from protocol.parameters import BURN_ACCOUNT
from protocol.rewards import stakers_account
from tests.contracts.epochs import Ledger
from tests.contracts.world import World, reverts


def stakers(world: World, node: str = "node") -> str:
    return stakers_account(world.plain(node), keccak)


def test_anyone_relays_a_claim_and_the_account_is_paid(world: World, ledger: Ledger) -> None:
    """SPEC 8.20: a claim pays cumulative - claimed to the account itself, whoever sends it."""
    ledger.settle("node", {"contributor": 300, "curator": 5})
    ledger.claim("contributor", sender="stranger")
    assert (world.balance("contributor"), world.balance("stranger")) == (300, 0)
    assert world.distributor.functions.claimed(world.address("contributor")).call() == 300


def test_a_claim_is_paid_once(world: World, ledger: Ledger) -> None:
    """SPEC 8.20: repeating a claim pays nothing."""
    ledger.settle("node", {"contributor": 300})
    ledger.claim("contributor")
    with reverts("RewardDistributorNothingToClaim", world.address("contributor"), 300, 300):
        ledger.claim("contributor")


def test_a_later_root_pays_what_is_new(world: World, ledger: Ledger) -> None:
    """SPEC 8.20: entitlements are cumulative; skipped claims are covered by the next."""
    ledger.settle("node", {"contributor": 300, "curator": 5})
    ledger.claim("contributor")
    ledger.settle("node", {"contributor": 40, "curator": 6})
    ledger.claim("contributor")
    ledger.claim("curator")
    assert (world.balance("contributor"), world.balance("curator")) == (340, 11)
    with reverts("RewardDistributorNothingToClaim", world.address("contributor"), 340, 340):
        ledger.claim("contributor")


def test_only_the_final_root_pays(world: World, ledger: Ledger) -> None:
    """SPEC 8.20: an unfinalised commitment pays nothing, and an old proof does not fit a new root."""
    old = ledger.settle("node", {"contributor": 300})
    epoch = ledger.earn("node", 50)
    world.pass_to(ledger.end_of(epoch))
    statement = ledger.statement(epoch, "node", {"contributor": 50})
    ledger.publish(statement, "node")
    new = ledger.build(epoch, [statement])
    end = ledger.commit(new).time + world.settings.challenge_window
    with reverts("RewardDistributorBadProof", world.address("contributor"), 350, old.cum_root.digest):
        ledger.claim("contributor", commitment=new)
    ledger.finalize(epoch, at=end)
    with reverts("RewardDistributorBadProof", world.address("contributor"), 300, new.cum_root.digest):
        ledger.claim("contributor", commitment=old)
    ledger.claim("contributor", commitment=new)


def test_nothing_pays_before_the_first_root(world: World) -> None:
    with reverts("RewardDistributorBadProof"):
        claim = world.distributor.functions.claim(world.address("contributor"), 0, (0, 1, []))
        world.send(claim, "contributor")


@pytest.mark.parametrize("spoil", ["amount", "account", "index", "path"])
def test_a_changed_claim_is_refused(world: World, ledger: Ledger, spoil: str) -> None:
    """SPEC 8.21: nobody claims more than, or other than, the root says."""
    commitment = ledger.settle("node", {"contributor": 300, "curator": 5, "model_owner": 9})
    account = world.plain("contributor")
    found = claim_proof(commitment, account, keccak)
    index, path, amount = found.index, list(found.path), 300
    if spoil == "amount":
        amount += 1
    elif spoil == "account":
        account = world.plain("stranger")
    elif spoil == "index":
        index ^= 1
    else:
        path = [(path[0][0], path[0][1] + 1), *path[1:]]
    with reverts("RewardDistributorBadProof"):
        ledger.claim_with(account, amount, (index, found.count, path))


def test_the_sum_of_all_claims_is_what_was_funded(world: World, ledger: Ledger) -> None:
    """SPEC 8.21: all claims together take exactly the final total, and leave the vault empty."""
    shares = {
        "contributor": 301,
        "curator": 7,
        "model_owner": 92,
        "node": 50,
        BURN_ACCOUNT: 25,
        stakers(world): 25,
    }
    ledger.settle("node", shares)
    commitment = ledger.settle("node", shares)
    for account, _ in commitment.cumulative:
        ledger.claim(account)
    assert world.distributor.functions.totalClaimed().call() == commitment.total == 1000
    assert world.balance(world.distributor.address) == 0


def test_the_burnt_part_leaves_the_supply(world: World, ledger: Ledger) -> None:
    """SPEC 8.22: claiming for the burn account lowers the supply by as much; the account gets nothing."""
    ledger.settle("node", {"contributor": 300, BURN_ACCOUNT: 45})
    supply = world.token.functions.totalSupply().call()
    ledger.claim(BURN_ACCOUNT)
    assert supply - world.token.functions.totalSupply().call() == 45
    assert world.balance(BURN_ACCOUNT) == 0


@pytest.mark.parametrize("through", ["claim", "claimForStakers"])
def test_the_stakers_part_goes_to_the_pool(world: World, ledger: Ledger, through: str) -> None:
    """SPEC 8.23: the stakers' part is paid into the pool by either function, never to the account."""
    commitment = ledger.settle("node", {"contributor": 300, stakers(world): 45})
    if through == "claim":
        ledger.claim(stakers(world))
    else:
        found = claim_proof(commitment, ledger.earner(stakers(world)), keccak)
        proof = found.index, found.count, list(found.path)
        call = world.distributor.functions.claimForStakers(world.address("node"), 45, proof)
        world.send(call, "stranger")
    assert world.balance(stakers(world)) == 0
    world.pass_to(world.now + world.settings.reward_drip)
    assert world.staking.functions.pendingRewards(world.address("node"), world.address("node")).call() == 45
    before = world.balance("node")
    world.send(world.staking.functions.claimRewards(world.address("node")), "node")
    assert world.balance("node") - before == 45


def test_stakers_of_an_unknown_node_have_no_pool(world: World) -> None:
    with reverts("RewardDistributorUnknownNode", world.address("stranger")):
        call = world.distributor.functions.claimForStakers(world.address("stranger"), 1, (0, 1, []))
        world.send(call, "stranger")


def test_a_gift_to_the_vault_changes_no_entitlement(world: World, ledger: Ledger) -> None:
    """SPEC 8.21: donations enlarge nobody's claim."""
    ledger.settle("node", {"contributor": 300})
    world.send(world.token.functions.transfer(world.distributor.address, 1_000), "deployer")
    ledger.claim("contributor")
    assert world.balance("contributor") == 300
    assert world.balance(world.distributor.address) == 1_000
