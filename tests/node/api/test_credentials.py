"""Headers are judged by their form here; a voucher keeps every bit on its way through the header."""

import base64
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api.credentials import bearer, idempotency_key, voucher
from node.api.problems import Problem
from protocol.hashing import to_hex


def header(**changes: object) -> dict[str, str]:
    fields = {
        "channel_id": "0x" + "11" * 32,
        "cumulative": "340282366920938463463374607431768211455",
        "receipt_count": 3,
        "receipts_root": "0x" + "22" * 32,
        "valid_before": 1_700_000_000,
        "signature": "0x" + "33" * 65,
        **changes,
    }
    text = base64.urlsafe_b64encode(json.dumps(fields).encode()).decode().rstrip("=")
    return {"x-openledger-voucher": text}


@given(
    st.binary(min_size=32, max_size=32),
    st.integers(0, 2**128 - 1),
    st.integers(0, 2**53 - 1),
    st.binary(min_size=65, max_size=65),
)
def test_a_voucher_survives_its_header(channel: bytes, cumulative: int, count: int, signature: bytes) -> None:
    """SPEC 4.55"""
    sent = header(
        channel_id=to_hex(channel),
        cumulative=str(cumulative),
        receipt_count=count,
        signature=to_hex(signature),
    )
    found = voucher(sent)
    assert found is not None
    assert (found.voucher.channel_id, found.voucher.cumulative) == (channel, cumulative)
    assert (found.voucher.receipt_count, found.signature) == (count, signature)


@pytest.mark.parametrize(
    "sent",
    [
        {"x-openledger-voucher": "not base64 at all!"},
        {"x-openledger-voucher": ""},
        {"x-openledger-voucher": base64.urlsafe_b64encode(b"[1]").decode()},
        header(channel_id="0x12"),
        header(channel_id=7),
        header(cumulative="-1"),
        header(cumulative=str(2**128)),
        header(receipt_count=True),
        header(receipt_count=1.5),
        header(signature="0x" + "33" * 64),
        {"x-openledger-voucher": "A" * 20_000},
    ],
)
def test_a_malformed_voucher_is_refused_by_name(sent: dict[str, str]) -> None:
    """SPEC 4.55"""
    with pytest.raises(Problem) as refused:
        voucher(sent)
    assert (refused.value.status, refused.value.code) == (400, "invalid_voucher")


def test_no_header_is_no_voucher() -> None:
    """SPEC 4.55"""
    assert voucher({}) is None


@pytest.mark.parametrize("value", ["Basic dXNlcjpwYXNz", "Bearer", "Bearer ", "Bearer a b", "Bearer é"])
def test_another_authorization_is_refused(value: str) -> None:
    """SPEC 4.56"""
    with pytest.raises(Problem) as refused:
        bearer({"Authorization": value})
    assert refused.value.status == 401


@pytest.mark.parametrize("value", ["", "x" * 256, "a b", "a\n", "é"])
def test_an_idempotency_key_is_short_and_visible(value: str) -> None:
    """SPEC 4.54"""
    with pytest.raises(Problem):
        idempotency_key({"Idempotency-Key": value})
    assert idempotency_key({"Idempotency-Key": "order-7"}) == "order-7"
