"""Who earns what was claimed: a pure function from paid parts of channels and their receipts to one
statement.

A claim pays a channel's receipts in the order of `seq`, each in full before the next. What a deposit did
not cover is paid by a later claim, in the epoch of that claim, so that every wei claimed is stated exactly
once.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass

from node.errors import IntegrityError
from node.store.epochs import StoredClaim, StoredRollover
from protocol.attribution import AttributionReport, PublishedReport, published
from protocol.epoch import Statement
from protocol.parameters import Parameters
from protocol.receipt import Receipt
from protocol.rewards import Line, Terms, paid_of, receipt_lines
from protocol.types import Address

Range = tuple[int, int]


@dataclass(frozen=True)
class Payable:
    """A receipt with all that decides who earns its price."""

    receipt: Receipt
    report: AttributionReport
    terms: Terms
    parameters: Parameters


def epoch_of_claim(claim: StoredClaim, rollovers: Iterable[StoredRollover]) -> int:
    """The epoch in which a claim is stated: where it was funded, or where its money was rolled over to
    since.
    """
    epoch = claim.epoch
    for rollover in sorted(rollovers, key=lambda one: (one.block, one.position)):
        if rollover.from_epoch == epoch and (rollover.block, rollover.position) > (
            claim.block,
            claim.position,
        ):
            epoch = rollover.to_epoch
    return epoch


def was_voided_before(epoch: int, rollovers: Iterable[StoredRollover], voided: Collection[int]) -> bool:
    """Whether money that stands in `epoch` came there from an epoch whose statement was proven false."""
    return any(one.to_epoch == epoch and one.from_epoch in voided for one in rollovers)


def paid_ranges(
    claims: Sequence[StoredClaim], rollovers: Sequence[StoredRollover], epoch: int
) -> dict[bytes, list[Range]]:
    """For each channel, the parts [before, upto) of its cumulative price (wei) that are stated in `epoch`."""
    claimed: dict[bytes, int] = {}
    ranges: dict[bytes, list[Range]] = {}
    for claim in sorted(claims, key=lambda one: (one.block, one.position)):
        before = claimed.get(claim.channel_id, 0)
        claimed[claim.channel_id] = before + claim.delta
        if epoch_of_claim(claim, rollovers) == epoch:
            ranges.setdefault(claim.channel_id, []).append((before, before + claim.delta))
    return ranges


def build_statement(
    node: Address,
    epoch: int,
    ranges: Mapping[bytes, Sequence[Range]],
    payables: Mapping[bytes, Sequence[Payable]],
) -> Statement:
    """The node's statement; `payables` holds each channel's receipts in the order of `seq`, from the first
    on.
    """
    lines: list[Line] = []
    receipts: list[Receipt] = []
    reports: list[PublishedReport] = []
    for channel_id in sorted(ranges):
        owed = payables[channel_id]
        for payable, paid in zip(owed, _paid(owed, ranges[channel_id]), strict=True):
            if paid:
                receipts.append(payable.receipt)
                reports.append(published(payable.report))
                lines += receipt_lines(
                    payable.receipt, paid, payable.report, payable.terms, payable.parameters
                )
    statement = Statement(node, epoch, tuple(sorted(lines)), tuple(receipts), tuple(reports))
    expected = sum(upto - before for parts in ranges.values() for before, upto in parts)
    if statement.total != expected:
        raise IntegrityError("a statement must be what was claimed", stated=statement.total, claimed=expected)
    return statement


def _paid(owed: Sequence[Payable], ranges: Sequence[Range]) -> list[int]:
    prices = [payable.receipt.price for payable in owed]
    paid = [0] * len(prices)
    for before, upto in ranges:
        paid = [one + more for one, more in zip(paid, paid_of(prices, before, upto), strict=True)]
    return paid
