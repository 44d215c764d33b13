"""What an attacker would try with pools, rewards and slashes, and what it comes to."""

import pytest

from scripts.deployment_plan import OPEN
from tests.contracts.staking.bench import DRIP, PERIOD, Bench


def leave(bench: Bench, who: str) -> int:
    """Takes a whole position out of the pool, once it is ready; the worth of its ticket."""
    ticket, ready_at = bench.unbond(who)
    bench.do(who, "withdraw", ticket, at=ready_at)
    return ticket


@pytest.mark.parametrize("slashes", [0, 1, 40])
@pytest.mark.parametrize("amount", [OPEN, OPEN + 1, 10**24 + 7])
def test_a_round_trip_never_pays(bench: Bench, slashes: int, amount: int) -> None:
    """SPEC 8.25: staking and leaving at once gives at most what was brought, and a wei less at the worst,
    beside another staker and after any number of slashes."""
    bench.stake("node", 3 * OPEN, staker="other_staker")
    for _ in range(slashes):
        bench.slash("node", 10**30)
    bench.stake("node", amount, staker="staker")
    before = bench.read("stakeOf", "node", "other_staker")
    leave(bench, "staker")
    assert amount - 1 <= bench.balance("staker") <= amount
    assert before <= bench.read("stakeOf", "node", "other_staker") <= before + 1


def test_a_first_delegator_cannot_make_shares_dear(bench: Bench) -> None:
    """SPEC 8.61: alone in the pool, with one share left, gifts sent and rewards added, it takes nothing
    of the next staker's."""
    bench.stake("node", OPEN, staker="staker")
    bench.unbond("staker", 1_000 * OPEN - 1)
    assert bench.read("delegationPool", "node")[::2][0] == 1
    bench.send(bench.token.functions.transfer(bench.staking.address, 10**6 * OPEN), "deployer")
    bench.add_rewards(10**6 * OPEN)
    bench.pass_to(bench.now + DRIP)
    bench.stake("node", OPEN, staker="other_staker")
    assert OPEN - 1 <= bench.read("stakeOf", "node", "other_staker") <= OPEN
    assert bench.read("stakeOf", "node", "staker") <= 1


def test_a_pool_slashed_to_dust_takes_stakes_and_lets_them_out(bench: Bench) -> None:
    """SPEC 8.61: eighty slashes of half bring a pool to a wei and never to nothing; who stakes then keeps
    what it brings, and everybody can leave."""
    bench.stake("node", OPEN, staker="staker")
    for _ in range(80):
        bench.slash("node", 10**30)
    assert bench.read("delegationPool", "node")[0] == 1
    assert bench.slash("node", 10**30) == 0
    bench.stake("node", 1_000 * OPEN, staker="other_staker")
    assert bench.read("stakeOf", "node", "other_staker") >= 1_000 * OPEN - 1
    for who in ("other_staker", "staker"):
        leave(bench, who)
    assert bench.balance("other_staker") + bench.balance("staker") == 1_000 * OPEN + 1
    assert bench.balance("other_staker") >= 1_000 * OPEN - 1


def test_who_comes_for_a_reward_gets_only_what_flows(bench: Bench) -> None:
    """SPEC 8.69: a hundred times the stake, brought in just before a reward and unbonded just after it, earns
    the seconds it stood there, and then waits out the unbonding period without earning."""
    bench.stake("node", OPEN, staker="staker")
    bench.stake("node", 100 * OPEN, staker="other_staker")
    bench.add_rewards(10_000)
    _, ready_at = bench.unbond("other_staker")
    stood = bench.now - bench.read("rewardDrip", "node")[1] + 1
    assert ready_at == bench.now + PERIOD
    bench.pass_to(bench.now + 2 * DRIP)
    taken = bench.read("pendingRewards", "node", "other_staker")
    assert stood == 1
    assert taken <= 10_000 // DRIP
    assert bench.read("pendingRewards", "node", "staker") == 10_000 - taken - 1


def test_a_dust_reward_does_not_hold_up_a_large_one(bench: Bench) -> None:
    """SPEC 8.69: adding a wei every second delays a reward by nothing."""
    bench.stake("node", OPEN)
    start = bench.add_rewards(10**18).time
    bench.fund("deployer", 50, bench.staking)
    for second in range(1, 51):
        bench.do("deployer", "addRewards", "node", 1, at=start + 2 + second)
    assert bench.read("rewardDrip", "node")[2] == start + DRIP
    bench.pass_to(start + DRIP)
    assert bench.read("pendingRewards", "node", "node") == 10**18 + 50


def test_leaving_does_not_outrun_a_slash(bench: Bench) -> None:
    """SPEC 8.26: unbonding before a slash saves nothing until the period is over."""
    bench.stake("node", 10 * OPEN)
    bench.stake("node", 10 * OPEN, staker="staker")
    bench.stake("node", 10 * OPEN, staker="other_staker")
    bench.unbond("node")
    first, _ = bench.unbond("staker")
    bench.slash("node", 15 * OPEN)
    assert bench.read("ticketWorth", 1) == 0
    stayed, left = bench.read("stakeOf", "node", "other_staker"), bench.read("ticketWorth", first)
    assert stayed == left == 75 * OPEN // 10


def test_self_slashing_takes_out_less_than_half(bench: Bench) -> None:
    """SPEC 8.27: a node that convicts itself gets at most a quarter of its stake at once."""
    bench.stake("node", 100 * OPEN)
    supply = bench.supply()
    assert bench.slash("node", 10**30, "node") == 50 * OPEN
    assert bench.wealth("node") == supply - bench.supply() == 25 * OPEN
