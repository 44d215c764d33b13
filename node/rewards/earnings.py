"""Who earned how much, for which answers: what a page or a command shows, from the node's own records.

Three stages of one wei are told apart: promised by a receipt, stated in an epoch, and open or paid under a
final root.
"""

from __future__ import annotations

from dataclasses import dataclass

from node.rewards.claims import Claims
from node.store.database import Database
from node.store.epochs import EpochStore, StoredLine
from node.store.receipts import Accrual, ReceiptStore
from protocol.types import Address


@dataclass(frozen=True)
class Earner:
    """An account's totals in wei: promised by all receipts, and stated in epochs."""

    account: str
    accrued: int
    stated: int


@dataclass(frozen=True)
class Earnings:
    """One account's earnings: totals in wei, then answer by answer."""

    account: str
    accrued: int
    stated: int
    final: int
    claimed: int
    accruals: tuple[Accrual, ...]
    lines: tuple[StoredLine, ...]


class EarningsQuery:
    """Reads earnings; changes nothing."""

    def __init__(self, database: Database, claims: Claims) -> None:
        self._receipts = ReceiptStore(database)
        self._epochs = EpochStore(database)
        self._claims = claims

    def of(self, account: Address, limit: int = 100) -> Earnings:
        """One account's earnings, with its newest `limit` accruals and all its lines."""
        entitlement = self._claims.entitlement(account)
        lines = self._epochs.lines(earner=account)
        return Earnings(
            account=account,
            accrued=self._receipts.accrued_totals().get(account, 0),
            stated=sum(line.amount for line in lines),
            final=entitlement.cumulative,
            claimed=entitlement.claimed,
            accruals=self._receipts.accruals_by(account, limit),
            lines=lines,
        )

    def earners(self) -> tuple[Earner, ...]:
        """Every account that a receipt promised something or an epoch paid, the largest first."""
        accrued = self._receipts.accrued_totals()
        stated: dict[str, int] = {}
        for line in self._epochs.lines():
            stated[line.earner] = stated.get(line.earner, 0) + line.amount
        accounts = sorted({*accrued, *stated}, key=lambda one: (-accrued.get(one, 0), one))
        return tuple(Earner(one, accrued.get(one, 0), stated.get(one, 0)) for one in accounts)
