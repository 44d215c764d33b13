"""Statements: every wei claimed is stated once, for the receipt it lies in, wherever claims and epochs
cut.
"""

from collections import Counter
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.errors import OpenLedgerError
from node.settlement.statements import (
    Payable,
    Range,
    build_statement,
    epoch_of_claim,
    paid_ranges,
    was_voided_before,
)
from node.store.epochs import StoredClaim, StoredRollover
from protocol.attribution import unattributed_report
from protocol.parameters import DEFAULTS
from protocol.receipt import Receipt
from protocol.rewards import Terms
from protocol.types import Address

NODE = Address("0x" + "01" * 20)
TERMS = Terms(*(Address("0x" + f"{n:02x}" * 20) for n in (2, 3, 4, 5)))
CHANNELS = (b"\1" * 32, b"\2" * 32)


def payables(channel: bytes, prices: list[int]) -> list[Payable]:
    """Receipts of a channel at these prices."""
    cumulative = list(accumulate(prices))
    return [
        Payable(receipt(channel, place + 1, price, cumulative[place]), unattributed_report(), TERMS, DEFAULTS)
        for place, price in enumerate(prices)
    ]


def receipt(channel: bytes, seq: int, price: int, cumulative: int) -> Receipt:
    blank = b"\0" * 32
    request = channel[:16] + seq.to_bytes(16, "big")
    return Receipt(
        request, channel, seq, 1, 0, blank, blank, blank, blank, blank, 1, 1, 1, price, cumulative, NODE, 1, 1
    )


def naive(prices: list[int], ranges: list[Range]) -> Counter[int]:
    """Wei by receipt, counted one by one."""
    owner = [place for place, price in enumerate(prices) for _ in range(price)]
    return Counter(owner[wei] for before, upto in ranges for wei in range(before, upto))


def by_request(statement_lines: tuple[object, ...]) -> Counter[bytes]:
    paid: Counter[bytes] = Counter()
    for line in statement_lines:
        paid[line.request_id] += line.amount  # type: ignore[attr-defined]
    return paid


@st.composite
def histories(draw: st.DrawFn) -> tuple[dict[bytes, list[int]], list[StoredClaim], list[StoredRollover]]:
    """Two channels' prices, claims that never pass their sums, in epochs that only grow, and some
    rollovers.
    """
    prices = {one: draw(st.lists(st.integers(0, 40), min_size=1, max_size=5)) for one in CHANNELS}
    left = {one: sum(prices[one]) for one in CHANNELS}
    claims, epoch = [], 0
    for block in range(draw(st.integers(1, 8))):
        channel = draw(st.sampled_from(CHANNELS))
        delta = draw(st.integers(0, left[channel]))
        left[channel] -= delta
        epoch += draw(st.integers(0, 1))
        if delta:
            claims.append(StoredClaim(block, 0, epoch, channel, delta))
    rollovers = []
    for place, source in enumerate(sorted({claim.epoch for claim in claims})):
        if draw(st.booleans()):
            rollovers.append(StoredRollover(100 + place, 0, source, epoch + 1 + place))
    return prices, claims, rollovers


@given(histories())
def test_every_wei_claimed_is_stated_once_and_for_its_own_receipt(
    history: tuple[dict[bytes, list[int]], list[StoredClaim], list[StoredRollover]],
) -> None:
    """SPEC 7.42: equal to counting wei by wei, over all epochs together and in each."""
    prices, claims, rollovers = history
    owed = {channel: payables(channel, prices[channel]) for channel in CHANNELS}
    epochs = {epoch_of_claim(claim, rollovers) for claim in claims}
    total: Counter[bytes] = Counter()
    for epoch in epochs:
        ranges = paid_ranges(claims, rollovers, epoch)
        statement = build_statement(NODE, epoch, ranges, owed)
        paid = by_request(statement.lines)
        for channel, parts in ranges.items():
            for place, amount in naive(prices[channel], parts).items():
                assert paid[owed[channel][place].receipt.request_id] == amount
        assert statement.total == sum(
            claim.delta for claim in claims if epoch_of_claim(claim, rollovers) == epoch
        )
        total += paid
    for channel in CHANNELS:
        for payable in owed[channel]:
            assert total[payable.receipt.request_id] <= payable.receipt.price
    assert sum(total.values()) == sum(claim.delta for claim in claims)


def test_money_rolled_over_twice_ends_where_it_was_rolled_last() -> None:
    """SPEC 7.42"""
    claim = StoredClaim(5, 0, 1, CHANNELS[0], 10)
    rollovers = [StoredRollover(20, 0, 3, 9), StoredRollover(10, 0, 1, 3), StoredRollover(4, 0, 9, 77)]
    assert epoch_of_claim(claim, rollovers) == 9


def test_the_same_money_is_not_stated_a_third_time() -> None:
    """SPEC 7.73: money of a void statement is stated once more; if that is void too, a person must look."""
    rollovers = [StoredRollover(10, 0, 1, 3), StoredRollover(20, 0, 5, 9)]
    assert not was_voided_before(3, rollovers, ())  # rolled over because others went on
    assert not was_voided_before(1, rollovers, (1,))  # the first void
    assert was_voided_before(3, rollovers, (1, 3))
    assert not was_voided_before(9, rollovers, (1, 3, 9))


def test_a_claim_beyond_the_receipts_makes_no_statement() -> None:
    """SPEC 7.42"""
    owed = {CHANNELS[0]: payables(CHANNELS[0], [5, 5])}
    with pytest.raises((OpenLedgerError, ValueError)):
        build_statement(NODE, 1, {CHANNELS[0]: [(0, 11)]}, owed)
