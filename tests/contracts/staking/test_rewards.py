"""Rewards of stakers: shared by stake and time, never out of the principal, never lost."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scripts.deployment_plan import OPEN
from tests.contracts.staking.bench import DRIP, Bench
from tests.contracts.world import reverts, rewound

STAKERS = ("node", "staker", "other_staker")


def pending(bench: Bench, staker: str, node: str = "node") -> int:
    return int(bench.read("pendingRewards", node, staker))


def wait_out(bench: Bench) -> None:
    bench.pass_to(bench.now + DRIP)


def test_rewards_are_shared_by_stake_while_they_flow(bench: Bench) -> None:
    """SPEC 8.24: a reward goes to those who are staked while it flows, own stake and delegations alike."""
    bench.stake("node", 4 * OPEN)
    bench.stake("node", 4 * OPEN, staker="staker")
    bench.stake("node", 8 * OPEN, staker="other_staker")
    bench.add_rewards(1_600)
    wait_out(bench)
    assert [pending(bench, who) for who in STAKERS] == [400, 400, 800]
    bench.unbond("other_staker")
    bench.add_rewards(100)
    wait_out(bench)
    assert [pending(bench, who) for who in STAKERS] == [450, 450, 800]


def test_a_reward_flows_evenly(bench: Bench) -> None:
    """SPEC 8.24: after a part of the time a part of the reward, and after all of it all."""
    bench.stake("node", 4 * OPEN)
    start = bench.add_rewards(1_000).time
    for part in (0, 1, 37, DRIP - 1, DRIP, DRIP + 5):
        if part:
            bench.pass_to(start + part)
        assert pending(bench, "node") == min(1_000, 1_000 * part // DRIP)
    assert bench.read("rewardDrip", "node") == [1_000, start, start + DRIP]


def test_a_reward_beside_another_waits_for_its_mean(bench: Bench) -> None:
    """SPEC 8.69: the time left is the mean by amount, so that a dust reward cannot hold up a large one."""
    bench.stake("node", 4 * OPEN)
    start = bench.add_rewards(3_000).time
    bench.fund("deployer", 1_000, bench.staking)
    bench.do("deployer", "addRewards", "node", 1_000, at=start + 50)
    assert bench.read("rewardDrip", "node") == [2_500, start + 50, start + 50 + 70]
    bench.do("deployer", "addRewards", "node", 1, at=start + 60)
    left, _, until = bench.read("rewardDrip", "node")
    assert (left, until) == (2_500 - 357 + 1, start + 120)
    bench.pass_to(until)
    assert pending(bench, "node") == 4_001


def test_a_period_of_zero_pays_at_once(bench: Bench) -> None:
    """SPEC 8.24: the period is the parameter's when the reward comes."""
    bench.stake("node", 4 * OPEN)
    bench.set_parameter("rewardDrip", 0)
    bench.add_rewards(400)
    assert pending(bench, "node") == 400


def test_rewards_without_stakers_wait_for_the_first(bench: Bench) -> None:
    """SPEC 8.29: a reward that finds nobody staked stands still, and flows from the next stake on."""
    bench.add_rewards(1_000)
    bench.pass_to(bench.now + 5 * DRIP)
    bench.stake("node", OPEN, staker="staker")
    start = bench.now
    assert pending(bench, "staker") == 0
    bench.pass_to(start + DRIP // 4)
    assert pending(bench, "staker") == 250
    ticket, _ = bench.unbond("staker")
    assert ticket == 1
    left = bench.read("rewardDrip", "node")[0]
    bench.pass_to(bench.now + 5 * DRIP)
    bench.stake("node", OPEN)
    wait_out(bench)
    assert (pending(bench, "staker"), pending(bench, "node")) == (1_000 - left, left)


def test_rewards_are_paid_once_and_leave_the_principal(bench: Bench) -> None:
    """SPEC 8.24: rewards and principal are separate ledgers."""
    bench.stake("node", OPEN, staker="staker")
    bench.add_rewards(400)
    wait_out(bench)
    bench.do("staker", "claimRewards", "node")
    assert bench.balance("staker") == 400
    assert bench.balance(bench.staking.address) == OPEN == bench.read("totalStake", "node")
    with reverts("NodeStakingNoRewards", bench.address("node"), bench.address("staker")):
        bench.do("staker", "claimRewards", "node")
    with reverts("NodeStakingZeroAmount"):
        bench.do("staker", "addRewards", "node", 0)


def test_a_claim_leaves_its_fraction_of_a_wei(bench: Bench) -> None:
    """SPEC 8.24: only claims round, and what they round away is paid later."""
    for who in ("staker", "other_staker"):
        bench.stake("node", OPEN, staker=who)
    for claimed in (1, 3):
        bench.add_rewards(3)
        wait_out(bench)
        for who in ("staker", "other_staker"):
            bench.do(who, "claimRewards", "node")
            assert bench.balance(who) == claimed


def test_a_slash_takes_no_rewards(bench: Bench) -> None:
    """SPEC 8.24: what was earned before a slash stays earned, and what flows after goes by what is left."""
    bench.stake("node", 10 * OPEN)
    bench.stake("node", 10 * OPEN, staker="staker")
    start = bench.add_rewards(1_000).time
    bench.do("challenger", "slash", "node", 5 * OPEN, bench.address("stranger"), at=start + DRIP // 2)
    bench.pass_to(start + DRIP)
    assert (pending(bench, "node"), pending(bench, "staker")) == (250 + 166, 250 + 334)


def test_rewards_of_one_node_are_nothing_to_anothers_stakers(bench: Bench) -> None:
    bench.stake("node", OPEN, staker="staker")
    bench.stake("other_node", OPEN, staker="other_staker")
    bench.add_rewards(400)
    wait_out(bench)
    assert pending(bench, "other_staker", "other_node") == pending(bench, "other_staker") == 0


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    stakes=st.tuples(*[st.integers(OPEN, 10**24)] * 3),
    rewards=st.lists(st.tuples(st.integers(1, 10**24), st.integers(1, 2 * DRIP)), min_size=1, max_size=4),
)
def test_rewards_are_conserved(
    bench: Bench, stakes: tuple[int, int, int], rewards: list[tuple[int, int]]
) -> None:
    """SPEC 8.24: the parts never exceed the reward, and fall short by less than a wei a staker and reward."""
    with rewound(bench):
        share_out(bench, stakes, rewards)


def share_out(bench: Bench, stakes: tuple[int, int, int], rewards: list[tuple[int, int]]) -> None:
    for who, amount in zip(STAKERS, stakes, strict=True):
        bench.stake("node", amount, staker=who)
    for reward, pause in rewards:
        bench.add_rewards(reward)
        bench.pass_to(bench.now + pause)
    wait_out(bench)
    total = sum(reward for reward, _ in rewards)
    paid = sum(pending(bench, who) for who in STAKERS)
    assert total - len(STAKERS) - len(rewards) <= paid <= total
    for who in STAKERS:
        if pending(bench, who):
            bench.do(who, "claimRewards", "node")
    assert bench.balance(bench.staking.address) == sum(stakes) + total - paid
