"""Voucher checks: each single wrong thing is refused for its own reason, and only the right one passes."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.payments.credit import SessionLimit
from node.payments.vouchers import (
    Authority,
    Issued,
    VoucherExpired,
    VoucherMismatch,
    VoucherNotAuthorised,
    VoucherNotMonotone,
    VoucherOverCap,
    check_authority,
    check_content,
    check_time,
)
from protocol.receipt import Voucher

PAYER, KEY, STRANGER = "0x" + "aa" * 20, "0x" + "bb" * 20, "0x" + "cc" * 20
VOUCHER = Voucher(b"\1" * 32, cumulative=700, receipt_count=3, receipts_root=b"\2" * 32, valid_before=1_000)
ISSUED = Issued(3, 700, b"\2" * 32)


def test_the_payer_may_sign_anything_and_a_stranger_nothing() -> None:
    """SPEC 6.46"""
    check_authority(VOUCHER, Authority(PAYER, PAYER, None), now=10)
    with pytest.raises(VoucherNotAuthorised):
        check_authority(VOUCHER, Authority(STRANGER, PAYER, None), now=10)


@given(cap=st.integers(0, 1_400), expires_at=st.integers(0, 20))
def test_a_session_key_signs_within_its_cap_and_time_only(cap: int, expires_at: int) -> None:
    """SPEC 6.46"""
    authority = Authority(KEY, PAYER, SessionLimit(cap, expires_at))
    if expires_at > 10 and cap >= VOUCHER.cumulative:
        check_authority(VOUCHER, authority, now=10)
        return
    with pytest.raises((VoucherExpired, VoucherOverCap)):
        check_authority(VOUCHER, authority, now=10)


@pytest.mark.parametrize(
    "change", [{"cumulative": 701}, {"receipt_count": 2}, {"receipts_root": b"\3" * 32}], ids=str
)
def test_a_voucher_that_describes_other_receipts_is_refused(change: dict[str, object]) -> None:
    """SPEC 6.46"""
    check_content(VOUCHER, ISSUED, acknowledged=700)
    with pytest.raises(VoucherMismatch):
        check_content(replace(VOUCHER, **change), ISSUED, acknowledged=0)  # type: ignore[arg-type]


@given(acknowledged=st.integers(0, 1_400))
def test_a_voucher_never_acknowledges_less_than_before(acknowledged: int) -> None:
    """SPEC 6.46"""
    if acknowledged <= VOUCHER.cumulative:
        check_content(VOUCHER, ISSUED, acknowledged)
        return
    with pytest.raises(VoucherNotMonotone):
        check_content(VOUCHER, ISSUED, acknowledged)


@pytest.mark.parametrize(("needed_until", "fits"), [(999, True), (1_000, False), (1_001, False)])
def test_a_voucher_must_outlive_the_time_it_is_needed(needed_until: int, fits: bool) -> None:
    """SPEC 6.46: the window is half-open."""
    if fits:
        check_time(VOUCHER, needed_until)
        return
    with pytest.raises(VoucherExpired):
        check_time(VOUCHER, needed_until)
