"""The rules of disputes: draws by stake, votes bound to their juror, payouts to the wei."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.chain.keccak import keccak
from protocol.disputes import (
    SEATS,
    Case,
    Tally,
    Verdict,
    draw_seats,
    payout,
    quorum_of,
    seat_at,
    vote_digest,
)
from protocol.errors import EncodingError
from scripts.vectors_samples import account, word

AMOUNTS = st.integers(0, 10**24)


@st.composite
def tallies(draw: st.DrawFn, seats: int) -> Tally:
    guilty = draw(st.integers(0, seats))
    return Tally(seats, guilty, draw(st.integers(0, seats - guilty)))


@st.composite
def cases(draw: st.DrawFn) -> Case:
    """Any dispute; only one with a verdict can have been appealed, and only an appeal answered."""
    first = draw(st.sampled_from([0, SEATS[0]]).flatmap(tallies))
    can_appeal = first.verdict is not Verdict.NONE and draw(st.booleans())
    second = draw(st.sampled_from([0, SEATS[1]]).flatmap(tallies)) if can_appeal else None
    return Case(draw(AMOUNTS), draw(AMOUNTS), first, second, second is not None and draw(st.booleans()))


def coherent_fees(case: Case) -> int:
    out = payout(case)
    fees = out.first_fee * case.first.coherent(case.verdict)
    return fees + (out.second_fee * case.second.coherent(case.second.verdict) if case.second else 0)


@given(cases())
def test_payouts_are_the_bonds_and_the_reward_to_the_wei(case: Case) -> None:
    """SPEC 7.148"""
    out = payout(case)
    staked = case.bond + (0 if case.second is None else (3 if case.responded else 2) * case.bond)
    reward = case.reward if case.verdict is Verdict.GUILTY else 0
    sides = out.challenger + out.node + out.appellant + out.responder
    assert sides + out.burnt + coherent_fees(case) == staked + reward
    assert min(out.challenger, out.node, out.appellant, out.responder, out.burnt) >= 0


@given(cases())
def test_a_seat_earns_the_same_for_either_verdict(case: Case) -> None:
    """SPEC 7.149: by itself, what is paid for a vote does not depend on what it said."""
    flipped = Case(
        case.bond,
        case.reward,
        Tally(case.first.seats, case.first.not_guilty, case.first.guilty),
        case.second and Tally(case.second.seats, case.second.not_guilty, case.second.guilty),
        case.responded,
    )
    if Verdict.NONE not in (case.first.verdict, flipped.first.verdict):
        assert payout(case).first_fee == payout(flipped).first_fee


@given(cases())
def test_who_was_right_loses_no_bond(case: Case) -> None:
    """SPEC 7.148: the winner's stakes come back whole, but for what an appeal that decided nothing cost."""
    out = payout(case)
    if case.verdict is Verdict.GUILTY:
        assert out.challenger >= case.bond
    overturned = case.second is not None and case.second.verdict not in (Verdict.NONE, case.first.verdict)
    if overturned and case.responded:
        assert out.appellant >= 2 * case.bond
    if case.second is not None and case.responded and not overturned:
        assert out.responder >= case.bond


@pytest.mark.parametrize(("seats", "quorum"), [(5, 4), (10, 7), (3, 2), (0, 0)])
def test_two_thirds_of_all_seats(seats: int, quorum: int) -> None:
    """SPEC 7.145"""
    assert quorum_of(seats) == quorum


@given(tallies(5))
def test_guilty_takes_two_thirds_of_the_seats_and_silence_never_convicts(tally: Tally) -> None:
    """SPEC 7.145"""
    assert (tally.verdict is Verdict.GUILTY) == (tally.guilty >= 4)
    assert (tally.verdict is Verdict.NONE) == (tally.guilty + tally.not_guilty < 4)


def test_draws_follow_the_stake() -> None:
    """SPEC 7.141: of many draws each juror gets its part, however its stake is spread over places."""
    whole, split = Counter[int](), Counter[int]()
    for number in range(400):
        seed = word(f"draw {number}")
        whole.update(draw_seats(seed, [300, 100], lambda _: True, 10, keccak))
        split.update(draw_seats(seed, [100, 100, 100, 100], lambda _: True, 10, keccak))
    assert whole.total() == split.total() == 4_000
    assert abs(whole[1] - 1_000) < 100
    assert sum(split[place] for place in range(3)) == whole[0]


@given(st.lists(st.integers(0, 50), min_size=1, max_size=9), st.binary(min_size=32, max_size=32))
def test_whom_a_draw_leaves_out_gains_nobody_else_a_loss(weights: list[int], seed: bytes) -> None:
    """SPEC 7.142: the drawn who stay eligible keep their seats when one of them steps back."""
    drawn = draw_seats(seed, weights, lambda _: True, 5, keccak)
    if not drawn:
        assert sum(weights) == 0
        return
    again = draw_seats(seed, weights, lambda place: place != drawn[0], 5, keccak)
    kept = [place for place in drawn if place != drawn[0]]
    assert not again or list(again[: len(kept)]) == kept


def test_a_draw_without_enough_jurors_draws_nobody() -> None:
    """SPEC 7.141"""
    assert draw_seats(word("seed"), [], lambda _: True, 5, keccak) == ()
    assert draw_seats(word("seed"), [5, 5], lambda _: False, 5, keccak) == ()
    with pytest.raises(EncodingError):
        seat_at([1, 2], 3)


def test_a_vote_names_dispute_round_juror_and_verdict() -> None:
    """SPEC 7.144: a commitment copied from another juror, round or dispute reveals nothing."""
    base = word("dispute"), 0, account("juror"), Verdict.GUILTY, word("salt")
    others = (
        (word("other"), *base[1:]),
        (base[0], 1, *base[2:]),
        (*base[:2], account("other"), *base[3:]),
        (*base[:3], Verdict.NOT_GUILTY, base[4]),
        (*base[:4], word("other")),
    )
    digests = {vote_digest(*vote, keccak) for vote in (base, *others)}
    assert len(digests) == len(others) + 1
