"""Slashes: through the one door the suite has today, and by a slasher of the bench's."""

from dataclasses import replace

import pytest

from scripts.deployment_plan import OPEN
from tests.contracts.epochs import receipt_of, solidity_receipt
from tests.contracts.seals import prove_sealed
from tests.contracts.staking.bench import SLASHER, ZERO, Bench
from tests.contracts.world import World, reverts


def slash(world: World, seq: int = 1) -> int:
    """Convicts the node once; returns the amount slashed: a tenth of what is slashable."""
    a = receipt_of(world, "node", 5, seq=seq, request_id=bytes([seq]) * 32)
    b = replace(a, price=6)
    signed = [world.signers["node"].sign_receipt(r, world.receipts_domain) for r in (a, b)]
    call = world.faults.functions.proveEquivocation(
        solidity_receipt(a), signed[0], solidity_receipt(b), signed[1]
    )
    (event,) = world.events(prove_sealed(world, call), world.faults, "EquivocationProven")
    return int(event["slashed"])


def test_only_slashers_slash(world: World) -> None:
    """SPEC 8.27: nobody but the named contracts takes stake."""
    world.stake("node", OPEN)
    assert world.staking.functions.isSlasher(world.faults.address).call()
    with reverts("NodeStakingNotSlasher", world.address("stranger")):
        call = world.staking.functions.slash(world.address("node"), 1, world.address("stranger"))
        world.send(call, "stranger")


def test_a_slash_is_half_burnt_and_half_paid(world: World) -> None:
    """SPEC 8.27: of what is slashed half is burnt (the odd wei too) and half goes to the challenger."""
    world.stake("node", OPEN + 10)
    slashed = slash(world)
    assert slashed == OPEN // 10 + 1
    assert world.staking.functions.bountyOf(world.address("challenger")).call() == OPEN // 20
    assert world.staking.functions.unburnt().call() == OPEN // 20 + 1


def test_without_a_beneficiary_all_is_burnt(bench: Bench) -> None:
    """SPEC 8.27: a slash that nobody earned is burnt whole."""
    bench.stake("node", 10 * OPEN)
    supply = bench.supply()
    assert bench.slash("node", 2 * OPEN, ZERO) == 2 * OPEN
    assert supply - bench.supply() == 2 * OPEN
    assert bench.read("bountyOf", ZERO) == 0


def test_anyone_collects_a_bounty_for_its_account(bench: Bench) -> None:
    """SPEC 8.73: whole and once, and nobody else's."""
    bench.stake("node", 10 * OPEN)
    bench.slash("node", 2 * OPEN)
    bench.slash("node", OPEN)
    mined = bench.do("payer", "collectBounty", "stranger")
    (event,) = bench.events(mined, bench.staking, "BountyCollected")
    assert (event["account"], event["amount"]) == (bench.address("stranger"), 3 * OPEN // 2)
    assert bench.balance("stranger") == 3 * OPEN // 2 and bench.balance("payer") == 0
    for account in ("stranger", "payer"):
        with reverts("NodeStakingNoBounty", bench.address(account)):
            bench.do("payer", "collectBounty", account)


def test_anyone_burns_what_slashes_left(bench: Bench) -> None:
    """SPEC 8.73: what is at stake and the bounties stay."""
    bench.stake("node", 10 * OPEN)
    bench.slash("node", 2 * OPEN)
    bench.slash("node", OPEN, ZERO)
    supply = bench.token.functions.totalSupply().call()
    mined = bench.do("payer", "burnSlashed")
    (event,) = bench.events(mined, bench.staking, "SlashedBurnt")
    assert event["amount"] == supply - bench.token.functions.totalSupply().call() == 2 * OPEN
    assert bench.balance(bench.staking.address) == 8 * OPEN
    assert bench.read("unburnt") == 0
    with reverts("NodeStakingNothingToBurn"):
        bench.do("payer", "burnSlashed")


@pytest.mark.parametrize(("asked", "taken"), [(0, 0), (30 * OPEN, 30 * OPEN), (10**36, 30 * OPEN)])
def test_at_most_half_goes_at_once(bench: Bench, asked: int, taken: int) -> None:
    """SPEC 8.27: whatever is asked, a slash takes at most half of what it can reach."""
    bench.stake("node", 60 * OPEN, staker="staker")
    assert bench.slash("node", asked) == taken
    assert bench.read("slashableStake", "node") == 60 * OPEN - taken


def test_a_slash_of_nothing_does_not_revert(bench: Bench) -> None:
    """SPEC 8.27: a node without stake is slashed by zero."""
    assert bench.slash("node", OPEN) == 0


def test_own_stake_goes_first(bench: Bench) -> None:
    """SPEC 8.27: delegators lose only what the node's own stake does not cover."""
    bench.stake("node", 10 * OPEN)
    bench.stake("node", 90 * OPEN, staker="staker")
    bench.slash("node", 4 * OPEN)
    assert (bench.read("ownStake", "node"), bench.read("stakeOf", "node", "staker")) == (6 * OPEN, 90 * OPEN)
    bench.slash("node", 20 * OPEN)
    assert (bench.read("ownStake", "node"), bench.read("stakeOf", "node", "staker")) == (0, 76 * OPEN)


def test_what_rounding_leaves_of_own_stake_is_not_taken_from_delegations(bench: Bench) -> None:
    """SPEC 8.27: where own stake at work and leaving do not divide evenly, a wei less is slashed."""
    bench.stake("node", 3 * OPEN + 1)
    bench.stake("node", 9 * OPEN, staker="staker")
    bench.unbond("node", OPEN)
    assert bench.slash("node", OPEN + 1) == OPEN
    assert bench.read("stakeOf", "node", "staker") == 9 * OPEN


@pytest.mark.parametrize("own", [True, False])
def test_an_exit_is_slashed_at_the_rate_of_what_stays(bench: Bench, own: bool) -> None:
    """SPEC 8.26: stake that is being unbonded is slashed at the same rate as stake at work."""
    staker, other = ("node", "node") if own else ("staker", "other_staker")
    bench.stake("node", 100 * OPEN, staker=staker)
    bench.stake("node", 100 * OPEN, staker=other)
    shares = 100 * OPEN if own else None
    ticket, ready_at = bench.unbond(other, shares)
    assert bench.slash("node", 20 * OPEN) == 20 * OPEN
    assert bench.read("stakeOf", "node", staker) == 90 * OPEN
    assert bench.read("ticketWorth", ticket) == 90 * OPEN
    bench.do(other, "withdraw", ticket, at=ready_at)
    assert bench.balance(other) == 90 * OPEN


def test_a_slash_of_all_own_stake_voids_its_tickets(bench: Bench) -> None:
    """SPEC 8.65: tickets of an emptied pool pay nothing, and what is unbonded later is nobody else's."""
    bench.stake("node", 4 * OPEN)
    bench.stake("node", 96 * OPEN, staker="staker")
    voided, _ = bench.unbond("node", OPEN)
    delegated, _ = bench.unbond("staker", 1_000 * OPEN)
    assert bench.slash("node", 10 * OPEN) == 10 * OPEN
    assert bench.read("ticketWorth", voided) == 0
    assert bench.read("ownPool", "node") == (0, 0, 0, 0, 0, 1)
    bench.stake("node", 3 * OPEN)
    later, ready_at = bench.unbond("node", 2 * OPEN)
    assert bench.read("ticketWorth", later) == 2 * OPEN
    bench.do("node", "withdraw", voided, at=ready_at)
    assert bench.balance("node") == 0
    bench.do("node", "withdraw", later)
    assert bench.balance("node") == 2 * OPEN
    assert bench.read("ticketWorth", delegated) == OPEN * 90 // 96


def test_a_withdrawn_stake_is_beyond_reach(world: World) -> None:
    world.stake("node", 100 * OPEN, staker="staker")
    held = world.staking.functions.sharesOf(world.address("node"), world.address("staker")).call()
    ticket = world.staking.functions.unbond(world.address("node"), held)
    world.send(ticket, "staker")
    withdraw = world.staking.functions.withdraw(1)
    world.send(withdraw, "staker", at=world.now + world.settings.unbonding_period)
    assert slash(world) == 0
    assert world.balance("staker") == 100 * OPEN


def test_a_new_staker_does_not_pay_for_an_old_slash(world: World) -> None:
    """SPEC 8.27: shares bought after a slash are priced after it, however often it happens."""
    world.stake("node", 100 * OPEN, staker="staker")
    for seq in range(1, 6):
        slash(world, seq)
    world.stake("node", 50 * OPEN, staker="other_staker")
    worth = world.staking.functions.stakeOf
    assert abs(worth(world.address("node"), world.address("other_staker")).call() - 50 * OPEN) <= 1
    left = worth(world.address("node"), world.address("staker")).call()
    assert abs(left - 59_049 * OPEN // 1_000) <= 5


def test_the_gas_of_a_slash_does_not_grow_with_history(bench: Bench) -> None:
    """SPEC 8.71: a slash walks no list: stakers, tickets and locks before it cost it nothing."""
    bench.stake("node", 10 * OPEN)
    bench.stake("node", 90 * OPEN, staker="staker")
    for _ in range(3):
        bench.unbond("staker", 1_000 * OPEN)
        bench.slash("node", OPEN)
    few = bench.do(SLASHER, "slash", "node", OPEN, "stranger").gas
    for _ in range(12):
        bench.unbond("staker", 1_000 * OPEN)
        bench.stake("node", OPEN, staker="other_staker")
        bench.unbond("other_staker", 10**6)
    many = bench.do(SLASHER, "slash", "node", OPEN, "stranger").gas
    assert abs(many - few) < 1_000
