"""The headers that say who asks and who pays: API key, idempotency key and a voucher signed by the client
itself.

Only their form is judged here; whether a key is known or a signature is the payer's, the payments stage
decides.
"""

import base64
import re
from collections.abc import Mapping

from node.api.problems import Problem, invalid
from node.payments.vouchers import SignedVoucher
from protocol.canonical import parse_json
from protocol.hashing import from_hex
from protocol.receipt import Voucher

VOUCHER_HEADER = "x-openledger-voucher"
VISIBLE_ASCII = re.compile(r"[\x21-\x7e]{1,255}")
MAX_VOUCHER_HEADER = 4096


def idempotency_key(headers: Mapping[str, str]) -> str | None:
    """The client's own name for this request, or None."""
    key = headers.get("Idempotency-Key")
    if key is not None and not VISIBLE_ASCII.fullmatch(key):
        raise invalid("Idempotency-Key", "Idempotency-Key must be 1..255 visible ASCII characters")
    return key


def bearer(headers: Mapping[str, str]) -> str | None:
    """The API key's text, or None where no Authorization was sent."""
    scheme, _, key = headers.get("Authorization", "").partition(" ")
    if not scheme:
        return None
    if scheme.lower() != "bearer" or not VISIBLE_ASCII.fullmatch(key.strip()):
        raise Problem(401, "invalid_api_key", "Authorization must be `Bearer <key>`")
    return key.strip()


def voucher(headers: Mapping[str, str]) -> SignedVoucher | None:
    """base64url of JSON {channel_id, cumulative, receipt_count, receipts_root, valid_before, signature}."""
    text = headers.get(VOUCHER_HEADER)
    if text is None:
        return None
    try:
        return _signed_voucher(text)
    except (ValueError, KeyError, TypeError) as error:
        raise invalid(VOUCHER_HEADER, f"not a signed voucher: {error}", "invalid_voucher") from error


def _signed_voucher(text: str) -> SignedVoucher:
    raw = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    fields = parse_json(raw, max_bytes=MAX_VOUCHER_HEADER, max_depth=2)
    if not isinstance(fields, dict):
        raise ValueError("not an object")
    return SignedVoucher(
        Voucher(
            channel_id=from_hex(_text(fields, "channel_id"), 32),
            cumulative=_uint(fields["cumulative"], 128),
            receipt_count=_uint(fields["receipt_count"], 64),
            receipts_root=from_hex(_text(fields, "receipts_root"), 32),
            valid_before=_uint(fields["valid_before"], 64),
        ),
        from_hex(_text(fields, "signature"), 65),
    )


def _text(fields: Mapping[str, object], name: str) -> str:
    value = fields[name]
    if not isinstance(value, str):
        raise ValueError(f"{name} must be a string")
    return value


def _uint(value: object, bits: int) -> int:
    """An integer, or its decimal text where JSON numbers end."""
    if isinstance(value, str) and re.fullmatch(r"[0-9]{1,39}", value):
        value = int(value)
    if type(value) is not int or not 0 <= value < 1 << bits:
        raise ValueError(f"expected uint{bits}, got {value!r}")
    return value
