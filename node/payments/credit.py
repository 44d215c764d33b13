"""How far a payer's channel can be trusted right now: a pure rule over amounts in wei.

A node serves request k+1 before request k is acknowledged, so it always lends a little. This module says
how much: never past the deposit, never past a session signer's cap, and never past the amount the operator
is willing to lose to a payer who stops signing. It reads no clock, no chain and no database.
"""

from dataclasses import dataclass

from node.errors import PaymentRequired


class CreditRefused(PaymentRequired):
    """The channel cannot carry the request."""


class ChannelIsClosing(CreditRefused):
    """The payer asked to withdraw, so that new receipts might find the deposit gone."""


class NotEnoughCredit(CreditRefused):
    """The worst-case price of the request exceeds what the channel can still carry."""


class PriceAboveCap(PaymentRequired):
    """The client named a highest price and the worst case is above it."""


class SessionExpired(CreditRefused):
    """The session signer's authority ends before its voucher could be claimed."""


@dataclass(frozen=True)
class Credit:
    """One channel's amounts in wei.

    `issued` is the sum of its receipts' prices, `acknowledged` the cumulative of its best voucher,
    `reserved` the worst-case prices of the requests still open; `withdrawable_at` is 0 while the channel is
    open.
    """

    channel_id: bytes
    deposited: int
    issued: int
    acknowledged: int
    reserved: int
    withdrawable_at: int = 0


@dataclass(frozen=True)
class SessionLimit:
    """What the payer's wallet allowed a session signer: a cumulative cap in wei, and when its authority
    ends.
    """

    cap: int
    expires_at: int


def headroom(credit: Credit, willing_to_lose: int, session: SessionLimit | None) -> tuple[int, str]:
    """How many wei a further request may cost at worst, and the name of the bound that binds.

    With a session signer the node signs vouchers itself, so that nothing stays unacknowledged, and the cap
    takes the place of the amount willing to lose.
    """
    promised = credit.issued + credit.reserved
    bounds = [(credit.deposited - promised, "deposit")]
    if session is None:
        bounds.append((willing_to_lose - (promised - credit.acknowledged), "amount willing to lose"))
    else:
        bounds.append((session.cap - promised, "session cap"))
    amount, name = min(bounds)
    return max(0, amount), name


def check_admission(
    credit: Credit, worst_case: int, willing_to_lose: int, session: SessionLimit | None, needed_until: int
) -> None:
    """Raise the reason why a request of at most `worst_case` wei is refused.

    `needed_until` (unix seconds) is when its voucher must still be claimable.
    """
    if credit.withdrawable_at:
        raise ChannelIsClosing("the channel is closing", withdrawable_at=credit.withdrawable_at)
    if session is not None and session.expires_at <= needed_until:
        raise SessionExpired(
            "the session key expires too soon", expires_at=session.expires_at, needed_until=needed_until
        )
    available, bound = headroom(credit, willing_to_lose, session)
    if worst_case > available:
        raise NotEnoughCredit(
            f"the request may cost more than the channel's {bound} allows",
            worst_case=worst_case,
            available=available,
        )


def check_price_cap(worst_case: int, cap: int | None) -> None:
    """Raise PriceAboveCap when the client's own limit (wei; None for none) is below the worst case."""
    if cap is not None and worst_case > cap:
        raise PriceAboveCap(
            "the request may cost more than the client allows", worst_case=worst_case, cap=cap
        )
