"""The arithmetic of stake, over all small numbers and against exact fractions."""

from fractions import Fraction
from itertools import product

from hypothesis import given
from hypothesis import strategies as st

from protocol.staking import VIRTUAL_SHARES, Drip, Locks, to_shares_down, to_tokens_down

SMALL = range(2**5)
POOLS = [(tokens, shares) for tokens, shares in product(SMALL, SMALL) if (tokens == 0) == (shares == 0)]


def price(tokens: int, shares: int) -> Fraction:
    return Fraction(tokens + 1, shares + VIRTUAL_SHARES)


def test_joining_never_lowers_the_price_of_a_share() -> None:
    """SPEC 8.61: for all pools and amounts below 2^5."""
    for (tokens, shares), amount in product(POOLS, SMALL):
        bought = to_shares_down(amount, tokens, shares)
        assert price(tokens + amount, shares + bought) >= price(tokens, shares)


def test_leaving_never_lowers_the_price_and_empties_nothing_but_the_last() -> None:
    """SPEC 8.61: for all pools and parts below 2^5; tokens are zero exactly when shares are."""
    for tokens, shares in POOLS:
        for part in range(shares + 1):
            paid = to_tokens_down(part, tokens, shares)
            assert 0 <= paid <= tokens
            assert (tokens - paid == 0) == (shares - part == 0)
            if part != shares:
                assert price(tokens - paid, shares - part) >= price(tokens, shares)


def test_a_round_trip_gives_at_most_what_was_brought() -> None:
    """SPEC 8.25: for all pools and amounts below 2^5, beside others and alone."""
    for (tokens, shares), amount in product(POOLS, SMALL):
        bought = to_shares_down(amount, tokens, shares)
        paid = to_tokens_down(bought, tokens + amount, shares + bought)
        assert amount - 1 <= paid <= amount


def test_parts_sum_to_at_most_the_whole() -> None:
    """SPEC 8.61: two holders leaving in either order take what the pool has."""
    for tokens, shares in POOLS:
        for part in range(1, shares):
            first = to_tokens_down(part, tokens, shares)
            rest = to_tokens_down(shares - part, tokens - first, shares - part)
            assert first + rest == tokens
            assert (
                to_tokens_down(part, tokens, shares) + to_tokens_down(shares - part, tokens, shares) <= tokens
            )


amounts = st.integers(1, 10**27)


@given(amounts, st.integers(1, 10**6), st.lists(st.integers(1, 10**5), max_size=20))
def test_a_drip_pays_in_any_steps_what_it_pays_at_once(amount: int, period: int, steps: list[int]) -> None:
    """SPEC 8.24: however often it is looked at, never early, a wei a look late, all at the end."""
    drip, now, paid = Drip().added(amount, period, 10), 10, 0
    for step in steps:
        now += step
        due = drip.due(now)
        paid, drip = paid + due, drip.taken(due, now)
        ideal = min(Fraction(amount), Fraction(amount * (now - 10), period))
        assert ideal - len(steps) <= paid <= ideal
    assert paid + drip.due(max(now, drip.until)) == amount


@given(amounts, amounts, st.integers(1, 10**6), st.integers(0, 10**6))
def test_a_second_reward_keeps_the_first_ones_pace(first: int, second: int, period: int, pause: int) -> None:
    """SPEC 8.69: the end moves by the new reward's weight, less than a second short: dust not at all."""
    drip = Drip().added(first, period, 0)
    drip = drip.taken(drip.due(pause), pause)
    later = drip.added(second, period, pause)
    rest = drip.until - pause if drip.left else period
    mean = Fraction(drip.left * rest + second * period, drip.left + second)
    assert abs(later.until - pause - mean) < 1
    assert abs(later.until - pause - rest) <= abs(mean - rest)


@given(st.integers(1, 1_000), st.lists(st.tuples(st.integers(0, 1_500), st.integers(1, 9)), max_size=25))
def test_a_lock_holds_one_to_two_periods(period: int, steps: list[tuple[int, int]]) -> None:
    """SPEC 8.63: what is held is at least what was locked within a period, and at most within two."""
    locks, now, made = Locks(), 0, []
    for pause, amount in steps:
        now += pause
        assert locks.held(now) <= sum(each for at, each in made if now < at + 2 * period)
        assert locks.held(now) >= sum(each for at, each in made if now < at + period)
        locks = locks.added(amount, period, now)
        made.append((now, amount))


@given(
    st.lists(st.tuples(st.integers(0, 300), st.integers(1, 9), st.integers(1, 100)), max_size=25),
    st.integers(0, 40),
)
def test_no_change_of_period_or_slash_shortens_a_lock(steps: list[tuple[int, int, int]], limit: int) -> None:
    """SPEC 8.63, 8.64: each lock holds its period, and a slash leaves what the stake still covers."""
    locks, now, made = Locks(), 0, []
    for pause, amount, period in steps:
        now += pause
        assert locks.held(now) >= sum(each for at, each, under in made if now < at + under)
        locks = locks.added(amount, period, now)
        made.append((now, amount, period))
        assert locks.reduced_to(limit, now).held(now) == min(limit, locks.held(now))
