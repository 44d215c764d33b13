"""A watcher's look at the receipts of a statement: each against its lines, its rules and its voucher.

It makes the evidence for every fault that there could be, and keeps what holds.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import pairwise

from protocol.errors import EncodingError
from protocol.hashing import ZERO_WORD, Keccak, address_word
from protocol.ledger_records import EpochRecords, PublishedStatement, Tree, receipts_tree
from protocol.ledger_watch import Grown, grow
from protocol.receipt import Receipt, Voucher, receipt_leaf
from protocol.receipt_faults import (
    Overpaid,
    PaymentRecords,
    ReceiptConflict,
    ReceiptFault,
    ReceiptOrder,
    Role,
    StatedFault,
    StatedReceipt,
    Underpaid,
    UnpaidReceipt,
    VoucherFault,
    role_account,
)
from protocol.sumtree import SumLeaf, SumProof, SumTree
from protocol.types import Address

NO_ACKNOWLEDGED = SumLeaf(ZERO_WORD, 0), SumProof(0, 0, ())


@dataclass(frozen=True)
class ClaimedVoucher:
    """A channel's last claimed voucher, and the leaves of its receipts' tree as far as they are known."""

    voucher: Voucher
    leaves: tuple[SumLeaf, ...] = ()


@dataclass(frozen=True)
class Evidence:
    """What a watcher compares a statement's receipts with."""

    payments: PaymentRecords
    claimed: Mapping[bytes, ClaimedVoucher] = field(default_factory=dict)


def find_receipt_faults(
    records: EpochRecords,
    node: Address,
    published: PublishedStatement,
    evidence: Evidence,
    keccak: Keccak,
) -> list[StatedFault]:
    """A proof for each way in which a statement's receipts break the rules; empty for an honest one."""
    record = records.statement(node)
    try:
        tree = receipts_tree(published.receipts, keccak)
    except EncodingError:
        return []
    if tree.root.digest != record.receipts_root:
        return []
    stated = [
        StatedReceipt(receipt, amount, tree.prove(place))
        for place, (receipt, amount) in enumerate(published.receipts)
    ]
    candidates: list[StatedFault] = [*_together(node, stated)]
    lines = grow(Tree.LINES, published.lines, record.root, keccak)
    for one in stated:
        candidates += _alone(node, one, evidence, keccak)
        if lines is not None:
            candidates += _payment(node, one, lines, evidence, keccak)
    return [fault for fault in candidates if fault.holds(records, evidence.payments, keccak)]


def _alone(node: Address, stated: StatedReceipt, evidence: Evidence, keccak: Keccak) -> Iterator[StatedFault]:
    yield ReceiptFault(node, stated)
    yield UnpaidReceipt(node, stated)
    claimed = evidence.claimed.get(stated.receipt.channel_id)
    if claimed is not None:
        leaf, proof = _acknowledged(claimed, stated.receipt, keccak)
        yield VoucherFault(node, stated, claimed.voucher, leaf, proof)


def _together(node: Address, stated: list[StatedReceipt]) -> Iterator[StatedFault]:
    for first, second in pairwise(stated):
        yield ReceiptOrder(node, first, second)
        yield ReceiptConflict(node, first, second)
    by_request: dict[bytes, StatedReceipt] = {}
    for one in stated:
        request = one.receipt.request_id
        if request in by_request:
            yield ReceiptConflict(node, by_request[request], one)
        by_request[request] = one


def _payment(
    node: Address, stated: StatedReceipt, lines: Grown, evidence: Evidence, keccak: Keccak
) -> Iterator[StatedFault]:
    receipt = stated.receipt
    request = int.from_bytes(receipt.request_id, "big")
    paying = [lines.leaf(place) for place, row in enumerate(lines.rows) if row.minor == request]
    yield Overpaid(node, stated, tuple(paying))
    for role in Role:
        account = role_account(role, receipt, evidence.payments, keccak)
        if account is not None:
            major = address_word(account)
            others = tuple(leaf for leaf in paying if leaf.row.major != major)
            yield Underpaid(node, stated, role, lines.pair((major, request)), others)


def _acknowledged(claimed: ClaimedVoucher, receipt: Receipt, keccak: Keccak) -> tuple[SumLeaf, SumProof]:
    if not claimed.leaves:
        return NO_ACKNOWLEDGED
    tree = SumTree(claimed.leaves, keccak)
    place = min(max(receipt.seq, 1), len(claimed.leaves)) - 1
    return claimed.leaves[place], tree.prove(place)


def leaves_of(receipts: tuple[Receipt, ...], keccak: Keccak) -> tuple[SumLeaf, ...]:
    """The leaves of a channel's receipts, from the first on in `seq` order, as an honest voucher holds."""
    return tuple(receipt_leaf(receipt, keccak) for receipt in receipts)
