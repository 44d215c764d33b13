"""Golden cases of disputes: ids, draws, votes and payouts, for Python and Solidity alike."""

from dataclasses import astuple

from node.chain.keccak import keccak
from protocol.disputes import (
    SEATS,
    Case,
    Tally,
    Verdict,
    dispute_id,
    draw_point,
    draw_seats,
    draw_seed,
    payout,
    seat_at,
    vote_digest,
)
from protocol.hashing import to_hex
from scripts.vectors_samples import Case as Vector
from scripts.vectors_samples import account, word

BOND = 10**20 + 7
WEIGHTS = ((1,), (100, 100, 100), (0, 7, 0, 500, 1, 92), tuple(place * place % 97 for place in range(70)))


def disputes() -> Vector:
    """Every rule of `protocol.disputes` by example."""
    return {
        "ids": [_id(place) for place in range(3)],
        "draws": [_draw(weights, place) for place, weights in enumerate(WEIGHTS)],
        "votes": [_vote(verdict) for verdict in Verdict],
        "tallies": [_tally(tally) for tally in _tallies()],
        "payouts": [_payout(case) for case in _cases()],
    }


def _id(place: int) -> Vector:
    node, receipt = account(f"node {place}"), word(f"receipt {place}")
    dispute = dispute_id(place, node, receipt, keccak)
    block = word(f"block {place}")
    return {
        "epoch": place,
        "node": node,
        "receiptHash": to_hex(receipt),
        "id": to_hex(dispute),
        "blockHash": to_hex(block),
        "seeds": [to_hex(draw_seed(block, dispute, round_index, keccak)) for round_index in (0, 1)],
    }


def _draw(weights: tuple[int, ...], place: int) -> Vector:
    seed = word(f"seed {place}")
    points = [draw_point(seed, attempt, sum(weights), keccak) for attempt in range(8)]
    heaviest = weights.index(max(weights))
    return {
        "weights": list(weights),
        "seed": to_hex(seed),
        "points": points,
        "places": [seat_at(weights, point) for point in points],
        "drawn": [list(draw_seats(seed, weights, lambda _: True, seats, keccak)) for seats in SEATS],
        "excluded": heaviest,
        "drawnWithout": [
            list(draw_seats(seed, weights, lambda at: at != heaviest, seats, keccak)) for seats in SEATS
        ],
    }


def _vote(verdict: Verdict) -> Vector:
    dispute, juror, salt = word("dispute"), account("juror"), word("salt")
    return {
        "id": to_hex(dispute),
        "juror": juror,
        "verdict": int(verdict),
        "salt": to_hex(salt),
        "digests": [
            to_hex(vote_digest(dispute, at, juror, verdict, salt, keccak)) for at in range(len(SEATS))
        ],
    }


def _tallies() -> list[Tally]:
    return [
        Tally(seats, guilty, not_guilty)
        for seats in (0, *SEATS)
        for guilty in range(seats + 1)
        for not_guilty in range(seats + 1 - guilty)
    ]


def _tally(tally: Tally) -> Vector:
    return {"tally": list(astuple(tally)), "verdict": int(tally.verdict)}


def _cases() -> list[Case]:
    first = (Tally(5, 5, 0), Tally(5, 4, 1), Tally(5, 2, 3), Tally(5, 0, 4))
    idle = (Tally(0, 0, 0), Tally(5, 0, 0), Tally(5, 2, 1))
    second = (None, Tally(0, 0, 0), Tally(10, 3, 2), Tally(10, 7, 3), Tally(10, 6, 4), Tally(10, 0, 10))
    rewards = (0, 3, 10**20, 10**22)
    return [Case(BOND, reward, tally) for tally in idle for reward in rewards[:2]] + [
        Case(BOND, reward, tally, again, responded)
        for tally in first
        for again in second
        for reward in rewards
        for responded in ((False,) if again is None else (False, True))
    ]


def _payout(case: Case) -> Vector:
    return {
        "bond": str(case.bond),
        "reward": str(case.reward),
        "first": list(astuple(case.first)),
        "second": None if case.second is None else list(astuple(case.second)),
        "responded": case.responded,
        "verdict": int(case.verdict),
        "payout": [str(amount) for amount in astuple(payout(case))],
    }
