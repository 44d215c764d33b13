"""Credit: no sequence of admissions ever promises more than the payer is good for."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.payments.credit import (
    ChannelIsClosing,
    Credit,
    NotEnoughCredit,
    PriceAboveCap,
    SessionExpired,
    SessionLimit,
    check_admission,
    check_price_cap,
    headroom,
)

AMOUNTS = st.integers(0, 10**24)
CHANNEL = b"\1" * 32


@given(deposit=AMOUNTS, willing=AMOUNTS, prices=st.lists(AMOUNTS, max_size=8), cap=st.none() | AMOUNTS)
def test_admitted_requests_never_sum_past_any_bound(
    deposit: int, willing: int, prices: list[int], cap: int | None
) -> None:
    """SPEC 6.44"""
    session = None if cap is None else SessionLimit(cap, expires_at=100)
    reserved = 0
    for price in prices:
        credit = Credit(CHANNEL, deposit, issued=0, acknowledged=0, reserved=reserved)
        try:
            check_admission(credit, price, willing, session, needed_until=10)
        except NotEnoughCredit:
            continue
        reserved += price
    assert reserved <= deposit
    assert reserved <= (willing if cap is None else cap)


@given(deposit=AMOUNTS, issued=AMOUNTS, acknowledged=AMOUNTS, willing=AMOUNTS)
def test_acknowledging_more_never_narrows_credit(
    deposit: int, issued: int, acknowledged: int, willing: int
) -> None:
    """SPEC 6.44"""
    before = Credit(CHANNEL, deposit, issued, min(acknowledged, issued), reserved=0)
    after = Credit(CHANNEL, deposit, issued, issued, reserved=0)
    assert headroom(after, willing, None)[0] >= headroom(before, willing, None)[0]


@given(credit=AMOUNTS)
def test_what_headroom_offers_is_admitted_and_one_wei_more_is_not(credit: int) -> None:
    """SPEC 6.44"""
    state = Credit(CHANNEL, deposited=credit, issued=0, acknowledged=0, reserved=0)
    available, _ = headroom(state, 2 * credit, None)
    check_admission(state, available, 2 * credit, None, needed_until=0)
    with pytest.raises(NotEnoughCredit) as refused:
        check_admission(state, available + 1, 2 * credit, None, needed_until=0)
    assert refused.value.facts["available"] == available


def test_a_closing_channel_and_an_ending_session_open_nothing() -> None:
    """SPEC 6.44"""
    open_credit = Credit(CHANNEL, 100, 0, 0, 0)
    with pytest.raises(ChannelIsClosing):
        check_admission(Credit(CHANNEL, 100, 0, 0, 0, withdrawable_at=5), 1, 100, None, 0)
    with pytest.raises(SessionExpired):
        check_admission(open_credit, 1, 100, SessionLimit(cap=50, expires_at=20), needed_until=20)
    check_admission(open_credit, 1, 100, SessionLimit(cap=50, expires_at=21), needed_until=20)


@given(price=AMOUNTS, cap=AMOUNTS)
def test_the_clients_own_cap_decides(price: int, cap: int) -> None:
    """SPEC 6.51"""
    check_price_cap(price, None)
    if price <= cap:
        check_price_cap(price, cap)
        return
    with pytest.raises(PriceAboveCap):
        check_price_cap(price, cap)
