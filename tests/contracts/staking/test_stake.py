"""Entering: own stake and delegations, with and without a permit, by a claim."""

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.deployment_plan import OPEN
from tests.contracts.permit import permit_of
from tests.contracts.staking.bench import DISTRIBUTOR, Bench
from tests.contracts.world import World, reverts, rewound

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


def test_own_stake_and_delegations_are_two_pools(bench: Bench) -> None:
    """SPEC 8.60: what an account stakes on its own address is its own, whatever others stake on it."""
    bench.stake("node", 7 * OPEN)
    bench.stake("node", 5 * OPEN, staker="staker")
    bench.stake("staker", 2 * OPEN)
    assert bench.read("ownStake", "node") == 7 * OPEN
    assert bench.read("ownStake", "staker") == 2 * OPEN
    assert bench.read("ownPool", "node")[:4] == (7 * OPEN, 0, 7 * OPEN, 0)
    assert bench.read("delegationPool", "node")[:4] == (5 * OPEN, 0, 5_000 * OPEN, 0)
    assert bench.read("totalStake", "node") == bench.read("slashableStake", "node") == 12 * OPEN
    assert bench.read("sharesOf", "node", "node") == 7 * OPEN
    assert bench.read("sharesOf", "node", "staker") == 5_000 * OPEN


def test_a_first_stake_registers_the_node_for_ever(world: World) -> None:
    """SPEC 8.31: a node is registered by the first stake on it and stays so."""
    registered = world.staking.functions.isRegistered(world.address("node"))
    assert not registered.call()
    world.stake("node", OPEN, staker="staker")
    unbond(world, "staker")
    assert registered.call()


def test_an_empty_stake_is_refused(world: World) -> None:
    world.fund("staker", 5, world.staking)
    with reverts("NodeStakingZeroAmount"):
        world.send(world.staking.functions.stake(world.address("node"), 0), "staker")
    with reverts("NodeStakingZeroNode"):
        world.send(world.staking.functions.stake(ZERO, 5), "staker")


@pytest.mark.parametrize("staker", ["node", "staker"])
def test_a_position_starts_with_one_open_and_grows_by_anything(bench: Bench, staker: str) -> None:
    """SPEC 8.62: a new position needs 1 OPEN, and one that exists takes any amount."""
    bench.fund(staker, 2 * OPEN, bench.staking)
    with reverts("NodeStakingTooSmall", OPEN - 1, OPEN):
        bench.do(staker, "stake", "node", OPEN - 1)
    bench.do(staker, "stake", "node", OPEN)
    bench.do(staker, "stake", "node", 1)
    assert bench.read("stakeOf", "node", staker) == OPEN + 1


def test_fewer_shares_than_asked_for_are_refused(bench: Bench) -> None:
    """SPEC 8.62: `stakeAtLeast` brings the shares that were asked for, or nothing moves."""
    bench.fund("staker", 4 * OPEN, bench.staking)
    with reverts("NodeStakingTooFewShares", 2_000 * OPEN, 2_000 * OPEN + 1):
        bench.do("staker", "stakeAtLeast", "node", 2 * OPEN, 2_000 * OPEN + 1)
    assert bench.balance("staker") == 4 * OPEN
    bench.do("staker", "stakeAtLeast", "node", 2 * OPEN, 2_000 * OPEN)
    assert bench.read("sharesOf", "node", "staker") == 2_000 * OPEN


@pytest.mark.parametrize("staker", ["node", "staker"])
def test_a_claim_stakes_in_the_claimants_name(bench: Bench, staker: str) -> None:
    """SPEC 8.68: the distributor, and nobody else, stakes its OPEN in another's name."""
    bench.fund(DISTRIBUTOR, 3 * OPEN, bench.staking)
    bench.do(DISTRIBUTOR, "stakeFor", "node", staker, 3 * OPEN)
    assert bench.read("stakeOf", "node", staker) == 3 * OPEN
    with reverts("NodeStakingNotDistributor", bench.address("stranger")):
        bench.do("stranger", "stakeFor", "node", staker, OPEN)
    with reverts("NodeStakingZeroStaker"):
        bench.do(DISTRIBUTOR, "stakeFor", "node", ZERO, OPEN)


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    steps=st.lists(
        st.tuples(st.sampled_from(["node", "staker", "other_staker"]), st.booleans(), st.integers(0, 10**6)),
        min_size=2,
        max_size=8,
    )
)
def test_no_sequence_of_stakes_and_exits_takes_out_more_than_went_in(
    bench: Bench, steps: list[tuple[str, bool, int]]
) -> None:
    """SPEC 8.25: without slashes stakers get back in all at most what they staked, and each what it staked to
    within a wei a step."""
    with rewound(bench):
        stake_and_leave(bench, steps)


def stake_and_leave(bench: Bench, steps: list[tuple[str, bool, int]]) -> None:
    who_all = ("node", "staker", "other_staker")
    for who in who_all:
        bench.fund(who, 100 * OPEN, bench.staking)
    start = {who: bench.balance(who) for who in who_all}
    tickets = []
    for who, enters, amount in steps:
        if enters:
            bench.do(who, "stake", "node", OPEN + amount)
        elif held := bench.read("sharesOf", "node", who):
            tickets.append((who, *bench.unbond(who, 1 + (held - 1) * amount // 10**6)))
    for who in who_all:
        if bench.read("stakeOf", "node", who):
            tickets.append((who, *bench.unbond(who)))
    if tickets:
        bench.pass_to(max(ready for _, _, ready in tickets))
    for who, ticket, _ in tickets:
        bench.do(who, "withdraw", ticket)
    for who, before in start.items():
        assert abs(bench.balance(who) - before) <= len(steps) + 1
    assert bench.balance("node") == start["node"]
    kept = sum(start.values()) - sum(bench.balance(who) for who in start)
    assert kept == bench.balance(bench.staking.address) >= 0


def test_a_gift_to_the_contract_changes_no_share(world: World) -> None:
    """SPEC 8.25: donations enlarge nobody's stake, so a first staker cannot inflate its shares."""
    world.stake("node", OPEN, staker="staker")
    world.send(world.token.functions.transfer(world.staking.address, 10**6 * OPEN), "deployer")
    world.stake("node", 3 * OPEN, staker="other_staker")
    assert (worth(world, "staker"), worth(world, "other_staker")) == (OPEN, 3 * OPEN)


def test_a_permit_stakes_in_one_call(world: World) -> None:
    """SPEC 6.31: a permit serves, and one that someone else has used already is no obstacle."""
    world.send(world.token.functions.transfer(world.address("staker"), 9 * OPEN), "deployer")
    deadline = world.now + 1_000
    permit = permit_of(world, "staker", world.staking.address, 9 * OPEN, deadline)
    first = world.token.functions.permit(
        world.address("staker"), world.staking.address, 9 * OPEN, deadline, *permit
    )
    world.send(first, "stranger")
    stake = world.staking.functions.stakeWithPermit(world.address("node"), 9 * OPEN, deadline, *permit)
    world.send(stake, "staker")
    assert worth(world, "staker") == 9 * OPEN


def test_without_a_permit_or_an_allowance_nothing_is_staked(world: World) -> None:
    world.send(world.token.functions.transfer(world.address("staker"), 9 * OPEN), "deployer")
    zeros = 27, bytes(32), bytes(32)
    stake = world.staking.functions.stakeWithPermit(
        world.address("node"), 9 * OPEN, world.now + 1_000, *zeros
    )
    with reverts("ERC20InsufficientAllowance", world.staking.address, 0, 9 * OPEN):
        world.send(stake, "staker")
