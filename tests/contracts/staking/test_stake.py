"""Stake pools: principal in, principal out, slashes in between."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.deployment_plan import OPEN
from tests.contracts.permit import permit_of
from tests.contracts.world import World, reverts, rewound

PERIOD = 300
ZERO = "0x" + "00" * 20


def shares(world: World, staker: str, node: str = "node") -> int:
    return int(world.staking.functions.sharesOf(world.address(node), world.address(staker)).call())


def worth(world: World, staker: str, node: str = "node") -> int:
    return int(world.staking.functions.stakeOf(world.address(node), world.address(staker)).call())


def unbond(world: World, staker: str, amount: int | None = None, node: str = "node") -> tuple[int, int]:
    """Starts an exit; returns the ticket and the time it is ready."""
    part = shares(world, staker, node) if amount is None else amount
    mined = world.send(world.staking.functions.unbond(world.address(node), part), staker)
    (event,) = world.events(mined, world.staking, "Unbonding")
    return event["ticket"], event["readyAt"]


def test_stake_is_worth_what_was_staked(world: World) -> None:
    world.stake("node", 7 * OPEN, staker="staker")
    world.stake("node", 5 * OPEN, staker="other_staker")
    assert (worth(world, "staker"), worth(world, "other_staker")) == (7 * OPEN, 5 * OPEN)
    assert world.staking.functions.totalStake(world.address("node")).call() == 12 * OPEN
    assert world.balance(world.staking.address) == 12 * OPEN


def test_a_first_stake_registers_the_node_for_ever(world: World) -> None:
    """SPEC 8.31: a node is registered by the first stake on it and stays so."""
    registered = world.staking.functions.isRegistered(world.address("node"))
    assert not registered.call()
    world.stake("node", OPEN, staker="staker")
    unbond(world, "staker")
    assert registered.call()


@pytest.mark.parametrize(("offset", "accepted"), [(-1, False), (0, True), (1, True)])
def test_an_exit_takes_the_unbonding_period(world: World, offset: int, accepted: bool) -> None:
    """SPEC 8.26: stake comes back from unbonding + period on, not a second earlier, once, to its owner."""
    world.stake("node", 7 * OPEN, staker="staker")
    ticket, ready_at = unbond(world, "staker")
    withdraw = world.staking.functions.withdraw(ticket)
    if not accepted:
        with reverts("NodeStakingStillUnbonding", ticket, ready_at):
            world.send(withdraw, "staker", at=ready_at + offset)
        return
    with reverts("NodeStakingNotTicketOwner", ticket, world.address("stranger"), world.address("staker")):
        world.send(withdraw, "stranger")
    world.send(withdraw, "staker", at=ready_at + offset)
    assert world.balance("staker") == 7 * OPEN
    with reverts("NodeStakingUnknownTicket", ticket):
        world.send(withdraw, "staker")


def test_nobody_unbonds_more_than_it_holds(world: World) -> None:
    world.stake("node", 7 * OPEN, staker="staker")
    held = shares(world, "staker")
    with reverts("NodeStakingNotEnoughShares", held + 1, held):
        unbond(world, "staker", held + 1)
    with reverts("NodeStakingNotEnoughShares", 1, 0):
        unbond(world, "stranger", 1)
    with reverts("NodeStakingZeroAmount"):
        unbond(world, "staker", 0)


def test_an_empty_stake_is_refused(world: World) -> None:
    world.fund("staker", 5, world.staking)
    with reverts("NodeStakingZeroAmount"):
        world.send(world.staking.functions.stake(world.address("node"), 0), "staker")
    with reverts("NodeStakingZeroNode"):
        world.send(world.staking.functions.stake(ZERO, 5), "staker")


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["staker", "other_staker"]), st.booleans(), st.integers(1, 10**6)),
        min_size=2,
        max_size=8,
    )
)
def test_no_sequence_of_stakes_and_exits_takes_out_more_than_went_in(
    world: World, steps: list[tuple[str, bool, int]]
) -> None:
    """SPEC 8.25: without slashes stakers get back in all at most what they staked, and each what it staked to
    within a wei a step."""
    with rewound(world):
        stake_and_leave(world, steps)


def stake_and_leave(world: World, steps: list[tuple[str, bool, int]]) -> None:
    for who in ("staker", "other_staker"):
        world.fund(who, 10**9, world.staking)
    start = {who: world.balance(who) for who in ("staker", "other_staker")}
    tickets = []
    for who, enters, amount in steps:
        if enters:
            world.send(world.staking.functions.stake(world.address("node"), amount), who)
        elif shares(world, who):
            tickets.append((who, *unbond(world, who, 1 + (shares(world, who) - 1) * amount // 10**6)))
    tickets += [(who, *unbond(world, who)) for who in start if shares(world, who)]
    if tickets:
        world.pass_to(max(ready for _, _, ready in tickets))
    for who, ticket, _ in tickets:
        world.send(world.staking.functions.withdraw(ticket), who)
    for who, before in start.items():
        assert abs(world.balance(who) - before) <= len(steps) + 1
    kept = sum(start.values()) - sum(world.balance(who) for who in start)
    assert kept == world.balance(world.staking.address) >= 0


def test_a_gift_to_the_contract_changes_no_share(world: World) -> None:
    """SPEC 8.25: donations enlarge nobody's stake, so a first staker cannot inflate its shares."""
    world.stake("node", 1, staker="staker")
    world.send(world.token.functions.transfer(world.staking.address, 10**6 * OPEN), "deployer")
    world.stake("node", 3 * OPEN, staker="other_staker")
    assert (worth(world, "staker"), worth(world, "other_staker")) == (1, 3 * OPEN)


def test_a_permit_stakes_in_one_call(world: World) -> None:
    """SPEC 6.31: a permit serves, and one that someone else has used already is no obstacle."""
    world.send(world.token.functions.transfer(world.address("staker"), 9), "deployer")
    deadline = world.now + 1_000
    permit = permit_of(world, "staker", world.staking.address, 9, deadline)
    first = world.token.functions.permit(world.address("staker"), world.staking.address, 9, deadline, *permit)
    world.send(first, "stranger")
    stake = world.staking.functions.stakeWithPermit(world.address("node"), 9, deadline, *permit)
    world.send(stake, "staker")
    assert worth(world, "staker") == 9


def test_without_a_permit_or_an_allowance_nothing_is_staked(world: World) -> None:
    world.send(world.token.functions.transfer(world.address("staker"), 9), "deployer")
    zeros = 27, bytes(32), bytes(32)
    stake = world.staking.functions.stakeWithPermit(world.address("node"), 9, world.now + 1_000, *zeros)
    with reverts("ERC20InsufficientAllowance", world.staking.address, 0, 9):
        world.send(stake, "staker")
