"""Own stake that is spoken for: how much, and for how long."""

import pytest

from scripts.deployment_plan import OPEN
from tests.contracts.staking.bench import LOCKER, PERIOD, RATIO, Bench
from tests.contracts.world import reverts


def lock(bench: Bench, amount: int, at: int | None = None) -> int:
    return bench.do(LOCKER, "lock", "node", amount, at=at).time


def test_only_lockers_lock(bench: Bench) -> None:
    """SPEC 8.63: no other account can make a stake unfree."""
    bench.stake("node", OPEN)
    assert bench.read("isLocker", LOCKER) and not bench.read("isLocker", "node")
    for function in ("lock", "lockForFees"):
        with reverts("NodeStakingNotLocker", bench.address("node")):
            bench.do("node", function, "node", 1)


def test_a_lock_takes_free_own_stake_only(bench: Bench) -> None:
    """SPEC 8.63: up to what is free, to the wei; delegations do not count."""
    bench.stake("node", 10 * OPEN)
    bench.stake("node", 90 * OPEN, staker="staker")
    lock(bench, 4 * OPEN)
    with reverts("NodeStakingLockExceedsStake", bench.address("node"), 6 * OPEN + 1, 6 * OPEN):
        lock(bench, 6 * OPEN + 1)
    lock(bench, 6 * OPEN)
    assert (bench.read("locked", "node"), bench.read("freeStake", "node")) == (10 * OPEN, 0)
    lock(bench, 0)
    bench.stake("node", OPEN)
    assert bench.read("freeStake", "node") == OPEN


def test_fees_lock_their_multiple(bench: Bench) -> None:
    """SPEC 8.63: collected fees lock fees x stakeToFees, and nothing where the parameter is zero."""
    bench.stake("node", 10 * OPEN)
    mined = bench.do(LOCKER, "lockForFees", "node", OPEN // 4)
    assert bench.read("locked", "node") == RATIO * OPEN // 4
    (event,) = bench.events(mined, bench.staking, "StakeLocked")
    assert (event["locker"], event["amount"]) == (bench.address(LOCKER), RATIO * OPEN // 4)
    bench.set_parameter("stakeToFees", 0)
    bench.do(LOCKER, "lockForFees", "node", 2**128 - 1)
    bench.set_parameter("stakeToFees", 100)
    with reverts("NodeStakingLockExceedsStake", bench.address("node"), 100 * (2**128 - 1), 75 * OPEN // 10):
        bench.do(LOCKER, "lockForFees", "node", 2**128 - 1)
    assert bench.read("locked", "node") == RATIO * OPEN // 4


@pytest.mark.parametrize("into", [0, 1, PERIOD // 2, PERIOD - 1])
def test_a_lock_holds_one_to_two_periods(bench: Bench, into: int) -> None:
    """SPEC 8.63: a lock is free two periods after the first one it shares its turn with: between one and two
    periods after itself, to the second."""
    bench.stake("node", 10 * OPEN)
    first = lock(bench, 1)
    if into:
        lock(bench, 2, at=first + into)
    held = 3 if into else 1
    bench.pass_to(first + 2 * PERIOD - 1)
    assert bench.read("locked", "node") == held
    bench.pass_to(first + 2 * PERIOD)
    assert bench.read("locked", "node") == 0


def test_turns_follow_each_other(bench: Bench) -> None:
    """SPEC 8.63: each turn's locks end with it, and later ones stay."""
    bench.stake("node", 10 * OPEN)
    first = lock(bench, 1)
    second = lock(bench, 10, at=first + PERIOD)
    bench.pass_to(first + 2 * PERIOD - 1)
    assert bench.read("locked", "node") == 11
    third = lock(bench, 100, at=first + 2 * PERIOD)
    assert bench.read("locked", "node") == 110
    assert third == second + PERIOD
    bench.pass_to(second + 2 * PERIOD)
    assert bench.read("locked", "node") == 100
    lock(bench, 1_000, at=third + 2 * PERIOD)
    assert bench.read("locked", "node") == 1_000


@pytest.mark.parametrize("changed", [1, PERIOD // 10, 10 * PERIOD])
def test_a_changed_period_shortens_no_lock(bench: Bench, changed: int) -> None:
    """SPEC 8.63: a lock holds for at least the period it was made under, whatever comes later."""
    bench.stake("node", 10 * OPEN)
    first = lock(bench, 5)
    second = lock(bench, 7, at=first + PERIOD + 50)
    bench.set_parameter("unbondingPeriod", changed)
    lock(bench, 100)
    bench.pass_to(first + 2 * PERIOD - 1)
    assert bench.read("locked", "node") >= 12
    lock(bench, 100, at=first + 2 * PERIOD)
    bench.pass_to(second + PERIOD - 1)
    assert bench.read("locked", "node") >= 7


def test_an_ended_lock_does_not_come_back(bench: Bench) -> None:
    """SPEC 8.63: locks made after a turn ended hold themselves only."""
    bench.stake("node", 10 * OPEN)
    first = lock(bench, 5)
    bench.set_parameter("unbondingPeriod", 1)
    second = lock(bench, 7, at=first + PERIOD)
    assert bench.read("locked", "node") == 12
    lock(bench, 11, at=second + 5)
    assert bench.read("locked", "node") == 5 + 11


def test_a_slash_lowers_locks_to_what_is_left(bench: Bench) -> None:
    """SPEC 8.64: locked never exceeds own stake: a slash below it lowers the lock, the older part first."""
    bench.stake("node", 10 * OPEN)
    bench.stake("node", 100 * OPEN, staker="staker")
    first = lock(bench, 3 * OPEN)
    lock(bench, 5 * OPEN, at=first + PERIOD)
    assert bench.slash("node", 2 * OPEN) == 2 * OPEN
    assert (bench.read("locked", "node"), bench.read("freeStake", "node")) == (8 * OPEN, 0)
    bench.slash("node", 2 * OPEN)
    assert (bench.read("locked", "node"), bench.read("freeStake", "node")) == (6 * OPEN, 0)
    bench.pass_to(first + 2 * PERIOD)
    assert bench.read("locked", "node") == 5 * OPEN
    bench.slash("node", 3 * OPEN)
    assert bench.read("locked", "node") == bench.read("ownStake", "node") == 3 * OPEN
    bench.slash("node", 50 * OPEN)
    assert bench.read("locked", "node") == bench.read("ownStake", "node") == 0
