"""Rewards of stakers: shared by stake, never out of the principal, never lost."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.deployment_plan import OPEN
from tests.contracts.staking.test_stake import unbond
from tests.contracts.world import World, reverts, rewound


def add(world: World, amount: int, node: str = "node") -> None:
    world.fund("deployer", amount, world.staking)
    world.send(world.staking.functions.addRewards(world.address(node), amount), "deployer")


def pending(world: World, staker: str, node: str = "node") -> int:
    return int(world.staking.functions.pendingRewards(world.address(node), world.address(staker)).call())


def test_rewards_are_shared_by_stake_at_the_time(world: World) -> None:
    """SPEC 8.24: a reward goes to those who are staked when it comes, by their shares."""
    world.stake("node", 4 * OPEN, staker="staker")
    add(world, 400)
    world.stake("node", 4 * OPEN, staker="other_staker")
    add(world, 400)
    assert (pending(world, "staker"), pending(world, "other_staker")) == (600, 200)
    unbond(world, "staker")
    add(world, 50)
    assert (pending(world, "staker"), pending(world, "other_staker")) == (600, 250)


def test_rewards_without_stakers_wait_for_the_next(world: World) -> None:
    """SPEC 8.29: a reward that finds no shares is shared out with the next one."""
    add(world, 400)
    world.stake("node", OPEN, staker="staker")
    assert pending(world, "staker") == 0
    add(world, 1)
    assert pending(world, "staker") == 401
    add(world, 10)
    assert pending(world, "staker") == 411


def test_rewards_are_paid_once_and_leave_the_principal(world: World) -> None:
    """SPEC 8.24: rewards and principal are separate ledgers."""
    world.stake("node", OPEN, staker="staker")
    add(world, 400)
    claim = world.staking.functions.claimRewards(world.address("node"))
    world.send(claim, "staker")
    assert world.balance("staker") == 400
    assert world.balance(world.staking.address) == OPEN
    with reverts("NodeStakingNoRewards", world.address("node"), world.address("staker")):
        world.send(claim, "staker")


def test_rewards_of_one_node_are_nothing_to_anothers_stakers(world: World) -> None:
    world.stake("node", OPEN, staker="staker")
    world.stake("other_node", OPEN, staker="other_staker")
    add(world, 400)
    assert pending(world, "other_staker") == 0


@settings(max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stakes=st.tuples(st.integers(1, 10**24), st.integers(1, 10**24), st.integers(1, 10**24)),
    rewards=st.lists(st.integers(1, 10**24), min_size=1, max_size=3),
)
def test_rewards_are_conserved(world: World, stakes: tuple[int, int, int], rewards: list[int]) -> None:
    """SPEC 8.24: the parts never exceed the reward, and fall short by less than a wei each."""
    with rewound(world):
        share_out(world, stakes, rewards)


def share_out(world: World, stakes: tuple[int, int, int], rewards: list[int]) -> None:
    for who, amount in zip(("node", "staker", "other_staker"), stakes, strict=True):
        world.stake("node", amount, staker=who)
    for reward in rewards:
        add(world, reward)
    paid = sum(pending(world, who) for who in ("node", "staker", "other_staker"))
    assert sum(rewards) - 4 * len(rewards) <= paid <= sum(rewards)
    for who in ("node", "staker", "other_staker"):
        if pending(world, who):
            world.send(world.staking.functions.claimRewards(world.address("node")), who)
    assert world.balance(world.staking.address) >= sum(stakes)
