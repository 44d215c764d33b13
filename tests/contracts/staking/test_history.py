"""What was staked at a past second, for votes."""

import pytest

from scripts.deployment_plan import OPEN
from tests.contracts.staking.bench import Bench
from tests.contracts.world import reverts

STAKERS = ("node", "staker", "other_staker")


def standing(bench: Bench) -> tuple[int, ...]:
    return (bench.read("totalStake", "node"), *(bench.read("stakeOf", "node", who) for who in STAKERS))


def past(bench: Bench, time: int) -> tuple[int, ...]:
    total = bench.read("pastStake", "node", time)
    return (total, *(bench.read("pastStakeOf", "node", who, time) for who in STAKERS))


def test_the_past_is_what_it_was(bench: Bench) -> None:
    """SPEC 8.67: past stake is what `totalStake` and `stakeOf` said at the end of that second, slashes in
    between or not, and the parts never exceed the whole."""
    seen = {bench.now: standing(bench)}
    steps = [
        lambda: bench.stake("node", 7 * OPEN),
        lambda: bench.stake("node", 11 * OPEN, staker="staker"),
        lambda: bench.stake("node", 13 * OPEN + 5, staker="other_staker"),
        lambda: bench.slash("node", 9 * OPEN),
        lambda: bench.unbond("staker", 3_000 * OPEN),
        lambda: bench.stake("node", 2 * OPEN),
        lambda: bench.slash("node", OPEN),
        lambda: bench.unbond("other_staker"),
        lambda: bench.unbond("node", OPEN // 7),
        lambda: bench.unbond("staker"),
    ]
    for step in steps:
        step()
        seen[bench.now] = standing(bench)
        bench.pass_to(bench.now + 3)
        seen[bench.now] = standing(bench)
    bench.pass_to(bench.now + 1)
    for time, expected in seen.items():
        assert past(bench, time) == expected
        assert sum(expected[1:]) <= expected[0]
    assert past(bench, min(seen) - 1) == (0, 0, 0, 0)


@pytest.mark.parametrize("ahead", [0, 1, 2**48, 2**255])
def test_the_present_is_not_history_yet(bench: Bench, ahead: int) -> None:
    """SPEC 8.67: a time that is not over is refused, as it may still change."""
    time = bench.now + ahead
    for view, arguments in (("pastStake", ("node", time)), ("pastStakeOf", ("node", "staker", time))):
        named = [bench.address(one) if isinstance(one, str) else one for one in arguments]
        with reverts("NodeStakingFutureLookup", time, bench.now):
            bench.call(bench.staking.functions[view](*named))
