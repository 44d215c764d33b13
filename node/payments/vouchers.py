"""Is this voucher worth keeping? Every check a contract will make at claim time, made when the voucher
arrives.

A voucher says "I owe `cumulative` for the receipts 1..receiptCount, whose tree is `receiptsRoot`". It is
accepted only if those receipts are exactly ours, the signer may sign for the channel, and it can still be
claimed.
"""

from dataclasses import dataclass

from node.errors import Conflict, IntegrityError, InvalidInput, Refused
from node.payments.credit import SessionLimit
from protocol.receipt import Voucher


class VoucherForAnotherChannel(InvalidInput):
    """The channel pays another node, or the voucher names another channel."""


class VoucherNotAuthorised(Refused):
    """Neither the payer nor a session signer of this channel signed it."""


class VoucherOverCap(Refused):
    """The session signer went past the cap that the payer's wallet set."""


class VoucherExpired(Refused):
    """It cannot be claimed long enough."""


class VoucherNotMonotone(Conflict):
    """It acknowledges less than one this node already holds."""


class VoucherMismatch(IntegrityError):
    """It does not describe the receipts that this node issued."""


class VoucherReused(Conflict):
    """It has already opened another request; vouchers become public when they are claimed."""


@dataclass(frozen=True)
class SignedVoucher:
    """A voucher as the client sent it; nothing about it has been verified."""

    voucher: Voucher
    signature: bytes


@dataclass(frozen=True)
class Issued:
    """The first `count` receipts of a channel: the sum of their prices in wei, and the digest of their
    tree.
    """

    count: int
    cumulative: int
    root: bytes


@dataclass(frozen=True)
class Authority:
    """Who signed, who may: the recovered signer, the channel's payer, and the signer's session limit if it
    has one.
    """

    signer: str
    payer: str
    session: SessionLimit | None


def check_authority(voucher: Voucher, authority: Authority, now: int) -> None:
    """Raise unless the payer, or a session signer within its cap and time, signed."""
    if authority.signer == authority.payer:
        return
    if authority.session is None:
        raise VoucherNotAuthorised(
            "the voucher's signer may not sign for this channel",
            signer=authority.signer,
            payer=authority.payer,
        )
    if now >= authority.session.expires_at:
        raise VoucherExpired(
            "the session signer has expired", expires_at=authority.session.expires_at, now=now
        )
    if voucher.cumulative > authority.session.cap:
        raise VoucherOverCap(
            "the voucher passes the session's cap", cumulative=voucher.cumulative, cap=authority.session.cap
        )


def check_content(voucher: Voucher, issued: Issued, acknowledged: int) -> None:
    """Raise unless the voucher describes exactly the `issued` prefix and acknowledges no less than before
    (wei).
    """
    if voucher.cumulative < acknowledged:
        raise VoucherNotMonotone(
            "the voucher acknowledges less than an earlier one",
            cumulative=voucher.cumulative,
            acknowledged=acknowledged,
        )
    theirs = (voucher.receipt_count, voucher.cumulative, voucher.receipts_root)
    ours = (issued.count, issued.cumulative, issued.root)
    if theirs != ours:
        raise VoucherMismatch(
            "the voucher does not describe this node's receipts",
            receipt_count=voucher.receipt_count,
            issued_count=issued.count,
            cumulative=voucher.cumulative,
            issued_cumulative=issued.cumulative,
            receipts_root="0x" + voucher.receipts_root.hex(),
            issued_root="0x" + issued.root.hex(),
        )


def check_time(voucher: Voucher, needed_until: int) -> None:
    """Raise unless the voucher is still claimable at `needed_until` (unix seconds)."""
    if voucher.valid_before <= needed_until:
        raise VoucherExpired(
            "the voucher expires before it can be claimed",
            valid_before=voucher.valid_before,
            needed_until=needed_until,
        )
