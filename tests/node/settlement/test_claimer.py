"""When a voucher is claimed: in time for whatever ends first, and never too late."""

from hypothesis import given
from hypothesis import strategies as st

from node.payments.credit import SessionLimit
from node.settlement.claimer import Timing, claimable, is_due
from node.store.channels import StoredChannel, StoredVoucher

CHANNEL = b"\1" * 32
TIMES = st.integers(0, 1_000)
AMOUNTS = st.integers(0, 10**24)


def channel(deposited: int = 100, claimed: int = 0, withdrawable_at: int = 0) -> StoredChannel:
    return StoredChannel(CHANNEL, "0xa", "0xb", 60, deposited, claimed, withdrawable_at, 0)


def voucher(cumulative: int = 50, valid_before: int = 500) -> StoredVoucher:
    return StoredVoucher(CHANNEL, cumulative, 1, b"\2" * 32, valid_before, "0xa", b"")


@given(now=TIMES, valid=TIMES, session=st.none() | TIMES, leaves=TIMES, end=TIMES, lead=st.integers(0, 100))
def test_a_voucher_is_due_exactly_when_something_is_about_to_end(
    now: int, valid: int, session: int | None, leaves: int, end: int, lead: int
) -> None:
    """SPEC 7.43"""
    limit = None if session is None else SessionLimit(1, session)
    due = is_due(channel(withdrawable_at=leaves), voucher(valid_before=valid), limit, now, Timing(end, lead))
    authority_ends = valid if session is None else min(valid, session)
    if now >= authority_ends:
        assert not due
        return
    endings = [authority_ends, end, *([leaves] if leaves else [])]
    assert due == any(now + lead >= one for one in endings)


@given(deposited=AMOUNTS, claimed=AMOUNTS, cumulative=AMOUNTS)
def test_what_a_claim_moves_stays_between_what_was_claimed_and_what_was_deposited(
    deposited: int, claimed: int, cumulative: int
) -> None:
    """SPEC 7.43"""
    moved = claimable(channel(deposited, min(claimed, deposited)), voucher(cumulative))
    assert moved >= 0
    assert min(claimed, deposited) + moved <= deposited
    if moved:
        assert min(claimed, deposited) + moved <= cumulative
