"""Leaving: a ticket, the period that was in force, and what a pool holds afterwards."""

import pytest

from scripts.deployment_plan import OPEN
from tests.contracts.staking.bench import LOCKER, PERIOD, ZERO, Bench
from tests.contracts.world import reverts


@pytest.mark.parametrize("staker", ["node", "staker"])
@pytest.mark.parametrize(("offset", "accepted"), [(-1, False), (0, True), (1, True)])
def test_an_exit_takes_the_unbonding_period(bench: Bench, staker: str, offset: int, accepted: bool) -> None:
    """SPEC 8.26: stake comes back from unbonding + period on, not a second earlier, once, to its owner."""
    bench.stake("node", 7 * OPEN, staker=staker)
    ticket, ready_at = bench.unbond(staker)
    assert ready_at == bench.now + PERIOD
    if not accepted:
        with reverts("NodeStakingStillUnbonding", ticket, ready_at):
            bench.do(staker, "withdraw", ticket, at=ready_at + offset)
        return
    with reverts("NodeStakingNotTicketOwner", ticket, bench.address("stranger"), bench.address(staker)):
        bench.do("stranger", "withdraw", ticket)
    bench.do(staker, "withdraw", ticket, at=ready_at + offset)
    assert bench.balance(staker) == 7 * OPEN
    with reverts("NodeStakingUnknownTicket", ticket):
        bench.do(staker, "withdraw", ticket)


@pytest.mark.parametrize("changed", [1, 10 * PERIOD])
def test_an_exit_keeps_the_period_it_began_with(bench: Bench, changed: int) -> None:
    """SPEC 8.26: the period is the one in force when the exit began; a vote changes only later exits."""
    bench.stake("node", 7 * OPEN, staker="staker")
    ticket, ready_at = bench.unbond("staker", 1_000 * OPEN)
    bench.set_parameter("unbondingPeriod", changed)
    assert bench.read("getTicket", ticket)[1] == ready_at
    assert bench.read("unbondingPeriod") == changed
    _, later = bench.unbond("staker")
    assert later == bench.now + changed
    bench.do("staker", "withdraw", ticket, at=ready_at)
    assert bench.balance("staker") == OPEN


@pytest.mark.parametrize("staker", ["node", "staker"])
def test_nobody_unbonds_more_than_it_holds(bench: Bench, staker: str) -> None:
    bench.stake("node", 7 * OPEN, staker=staker)
    held = bench.read("sharesOf", "node", staker)
    with reverts("NodeStakingNotEnoughShares", held + 1, held):
        bench.unbond(staker, held + 1)
    with reverts("NodeStakingNotEnoughShares", 1, 0):
        bench.unbond("stranger", 1)
    with reverts("NodeStakingZeroAmount"):
        bench.unbond(staker, 0)


def test_shares_worth_less_than_a_wei_do_not_leave_alone(bench: Bench) -> None:
    """SPEC 8.61: an exit rounds down; shares that make no wei stay what they are."""
    bench.stake("node", OPEN, staker="staker")
    with reverts("NodeStakingZeroAmount"):
        bench.unbond("staker", 999)
    assert bench.read("sharesOf", "node", "staker") == 1_000 * OPEN


def test_the_last_shares_take_what_rounding_left(bench: Bench) -> None:
    """SPEC 8.61: a pool without shares holds no wei, and one with shares holds some."""
    bench.stake("node", OPEN, staker="staker")
    bench.stake("node", OPEN + 1, staker="other_staker")
    assert bench.slash("node", 333_333_333_333_333_333, ZERO) > 0
    first, _ = bench.unbond("staker")
    left = bench.read("delegationPool", "node")
    second, ready = bench.unbond("other_staker")
    assert bench.read("ticketWorth", second) == left[0] > 0
    tokens, _, shares, *_ = bench.read("delegationPool", "node")
    assert (tokens, shares) == (0, 0)
    for who, ticket in (("other_staker", second), ("staker", first)):
        expected = bench.read("ticketWorth", ticket)
        bench.do(who, "withdraw", ticket, at=max(ready, bench.now + 1))
        assert bench.balance(who) == expected
        assert bench.read("ticketWorth", ticket) == 0
    assert bench.read("delegationPool", "node")[:4] == (0, 0, 0, 0)
    assert bench.balance(bench.staking.address) == bench.read("unburnt")


def test_many_exits_of_one_staker_are_many_tickets(bench: Bench) -> None:
    """SPEC 8.26: a later exit delays no earlier one."""
    bench.stake("node", 10 * OPEN)
    tickets = []
    for part in (1, 2, 3):
        tickets.append(bench.unbond("node", part * OPEN))
        bench.pass_to(bench.now + 50)
    for part, (ticket, ready_at) in zip((1, 2, 3), tickets, strict=True):
        before = bench.balance("node")
        bench.do("node", "withdraw", ticket, at=max(ready_at, bench.now + 1))
        assert bench.balance("node") - before == part * OPEN


def test_locked_own_stake_cannot_leave(bench: Bench) -> None:
    """SPEC 8.63: own stake leaves as far as it is free; delegations are never locked."""
    bench.stake("node", 10 * OPEN)
    bench.stake("node", 5 * OPEN, staker="staker")
    bench.do(LOCKER, "lock", "node", 4 * OPEN)
    with reverts("NodeStakingLocked", bench.address("node"), 6 * OPEN + 1, 6 * OPEN):
        bench.unbond("node", 6 * OPEN + 1)
    bench.unbond("node", 6 * OPEN)
    with reverts("NodeStakingLocked", bench.address("node"), 1, 0):
        bench.unbond("node", 1)
    bench.unbond("staker")
    assert bench.read("freeStake", "node") == 0
