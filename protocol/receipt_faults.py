"""The fault proofs of a statement's receipts (F5, F6, F8): evidence, and whether it convicts its node.

Each class is one function of contracts/settlement/VoucherFaults.sol, as in `protocol.ledger_faults`. A node
claims a voucher only after comparing it with its own receipts, so what a payer signed wrongly is never on
record, and what is on record the node has agreed to.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import IntEnum
from itertools import pairwise

from protocol.hashing import ZERO_WORD, Keccak, address_word
from protocol.ledger_faults import Pair, amount_of
from protocol.ledger_records import EpochRecords, Leaf, Tree, receipt_row_leaf, stands
from protocol.parameters import BURN_ACCOUNT, Split
from protocol.receipt import Receipt, Voucher, hash_receipt, hash_voucher
from protocol.rewards import stakers_account
from protocol.sumtree import SumLeaf, SumProof, climb, record_digest, sum_before
from protocol.types import TOTAL_PPM, Address


class Role(IntEnum):
    """Roles whose account follows from the receipt; the numbers are the contract's."""

    BURN = 0
    TREASURY = 1
    STAKERS = 2


@dataclass(frozen=True)
class PaymentRecords:
    """What other contracts say about payments and rules: last claimed vouchers by their hash, payees by
    channel, receipts by gateway request, splits and treasuries by version of the parameters.
    """

    vouchers: Mapping[bytes, bytes] = field(default_factory=dict)
    payees: Mapping[bytes, Address] = field(default_factory=dict)
    answers: Mapping[bytes, bytes] = field(default_factory=dict)
    splits: Mapping[int, Split] = field(default_factory=dict)
    treasuries: Mapping[int, Address] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class StatedReceipt:
    """A receipt, the amount of its leaf (its price, if honest) and its place among a statement's."""

    receipt: Receipt
    amount: int
    proof: SumProof

    @property
    def place(self) -> tuple[bytes, int]:
        """What a statement's receipts are sorted by."""
        return self.receipt.channel_id, self.receipt.seq


@dataclass(frozen=True, slots=True)
class ReceiptFault:
    """A receipt that is wrong by itself: another node's, at another price, of no place, sum or rules."""

    node: Address
    stated: StatedReceipt

    def holds(self, records: EpochRecords, payments: PaymentRecords, keccak: Keccak) -> bool:
        """The receipt stands in the statement."""
        receipt = self.stated.receipt
        return (
            receipt.node != self.node
            or self.stated.amount != receipt.price
            or receipt.seq == 0
            or receipt.cumulative < receipt.price
            or (receipt.seq == 1 and receipt.cumulative != receipt.price)
            or receipt.parameters_version not in payments.splits
        ) and is_stated(records, self.node, self.stated, keccak)


@dataclass(frozen=True, slots=True)
class ReceiptOrder:
    """Two neighbouring receipts that do not ascend by (channel, seq)."""

    node: Address
    first: StatedReceipt
    second: StatedReceipt

    def holds(self, records: EpochRecords, payments: PaymentRecords, keccak: Keccak) -> bool:
        """Both stand in the statement, next to each other."""
        return (
            self.second.proof.index == self.first.proof.index + 1
            and self.first.place >= self.second.place
            and is_stated(records, self.node, self.first, keccak)
            and is_stated(records, self.node, self.second, keccak)
        )


@dataclass(frozen=True, slots=True)
class ReceiptConflict:
    """Two stated receipts for one request, or two of a channel whose prices do not add up."""

    node: Address
    first: StatedReceipt
    second: StatedReceipt

    def holds(self, records: EpochRecords, payments: PaymentRecords, keccak: Keccak) -> bool:
        """Both stand in the statement, `first` before `second`."""
        first, second = self.first.receipt, self.second.receipt
        return (
            self.first.proof.index < self.second.proof.index
            and (first.request_id == second.request_id or _breaks_sum(first, second))
            and is_stated(records, self.node, self.first, keccak)
            and is_stated(records, self.node, self.second, keccak)
        )


@dataclass(frozen=True, slots=True)
class Overpaid:
    """Lines of one request that together pay more than its price."""

    node: Address
    stated: StatedReceipt
    lines: tuple[Leaf, ...]

    def holds(self, records: EpochRecords, payments: PaymentRecords, keccak: Keccak) -> bool:
        """The lines are different ones, and the receipt is the statement's own."""
        paid = paid_of_lines(records, self.node, self.stated, self.lines, keccak)
        return (
            paid is not None
            and paid > self.stated.receipt.price
            and is_stated(records, self.node, self.stated, keccak)
        )


@dataclass(frozen=True, slots=True)
class Underpaid:
    """A role's line, or its absence, below its part of what other lines of the request show was paid."""

    node: Address
    stated: StatedReceipt
    role: Role
    line: Pair
    lines: tuple[Leaf, ...]

    def holds(self, records: EpochRecords, payments: PaymentRecords, keccak: Keccak) -> bool:
        """Each role gets at least the floor of its part, by the split that the receipt names."""
        receipt = self.stated.receipt
        account = address_word(role_account(self.role, receipt, payments, keccak) or "0x0")
        ppm = _role_ppm(self.role, payments.splits.get(receipt.parameters_version))
        if any(leaf.row.major == account for leaf in self.lines):
            return False
        others = paid_of_lines(records, self.node, self.stated, self.lines, keccak)
        key = account, int.from_bytes(receipt.request_id, "big")
        own = amount_of(Tree.LINES, key, self.line, records.root_of(Tree.LINES, self.node), keccak)
        if others is None or own is None or not is_stated(records, self.node, self.stated, keccak):
            return False
        return own < (others + own) * ppm // TOTAL_PPM


@dataclass(frozen=True, slots=True)
class VoucherFault:
    """A stated receipt that the channel's last claimed voucher does not acknowledge as it stands.

    `leaf` is what the voucher's own tree holds, at the receipt's place where that is the difference.
    """

    node: Address
    stated: StatedReceipt
    voucher: Voucher
    leaf: SumLeaf
    proof: SumProof

    def holds(self, records: EpochRecords, payments: PaymentRecords, keccak: Keccak) -> bool:
        """The voucher is the one on record for the receipt's channel."""
        receipt, voucher = self.stated.receipt, self.voucher
        return (
            voucher.channel_id == receipt.channel_id
            and payments.vouchers.get(receipt.channel_id) == hash_voucher(voucher, keccak)
            and is_stated(records, self.node, self.stated, keccak)
            and (
                receipt.seq > voucher.receipt_count
                or voucher.receipts_root == ZERO_WORD
                or self._contradicts(keccak)
            )
        )

    def _contradicts(self, keccak: Keccak) -> bool:
        climbed = climb(self.leaf, self.proof, keccak)
        count = self.proof.count
        if (
            climbed is None
            or record_digest(climbed[0], count, climbed[1], keccak) != self.voucher.receipts_root
        ):
            return False
        if (count, climbed[1]) != (self.voucher.receipt_count, self.voucher.cumulative):
            return True
        if self.proof.index + 1 != self.stated.receipt.seq:
            return False
        receipt = self.stated.receipt
        own = SumLeaf(hash_receipt(receipt, keccak), receipt.price)
        return self.leaf != own or sum_before(self.proof) + receipt.price != receipt.cumulative


@dataclass(frozen=True, slots=True)
class UnpaidReceipt:
    """A stated receipt of a channel that pays another node, or that nobody ever paid from."""

    node: Address
    stated: StatedReceipt

    def holds(self, records: EpochRecords, payments: PaymentRecords, keccak: Keccak) -> bool:
        """No voucher of this node's was claimed there, and the gateway knows no such answer."""
        receipt = self.stated.receipt
        channel = receipt.channel_id
        paid = channel in payments.vouchers and payments.payees.get(channel) == self.node
        asked = payments.answers.get(channel) == hash_receipt(receipt, keccak)
        return not paid and not asked and is_stated(records, self.node, self.stated, keccak)


StatedFault = (
    ReceiptFault | ReceiptOrder | ReceiptConflict | Overpaid | Underpaid | VoucherFault | UnpaidReceipt
)


def is_stated(records: EpochRecords, node: Address, stated: StatedReceipt, keccak: Keccak) -> bool:
    """Whether the node's statement holds the receipt with that amount."""
    leaf = receipt_row_leaf(stated.receipt, stated.amount, keccak)
    climbed = climb(leaf, stated.proof, keccak)
    if climbed is None:
        return False
    digest = record_digest(climbed[0], stated.proof.count, climbed[1], keccak)
    return digest == records.statement(node).receipts_root


def paid_of_lines(
    records: EpochRecords, node: Address, stated: StatedReceipt, lines: tuple[Leaf, ...], keccak: Keccak
) -> int | None:
    """The sum of different lines of the receipt's request; None where one is not proven."""
    record = records.root_of(Tree.LINES, node)
    request = int.from_bytes(stated.receipt.request_id, "big")
    for leaf in lines:
        if leaf.row.minor != request or not stands(Tree.LINES, leaf, record, keccak):
            return None
    if any(first.proof.index >= second.proof.index for first, second in pairwise(lines)):
        return None
    return sum(leaf.row.amount for leaf in lines)


def role_account(role: Role, receipt: Receipt, payments: PaymentRecords, keccak: Keccak) -> Address | None:
    """Whose line a role's part is; None for a version of the parameters that there is not."""
    if role is Role.BURN:
        return BURN_ACCOUNT
    if role is Role.TREASURY:
        return payments.treasuries.get(receipt.parameters_version)
    return stakers_account(receipt.node, keccak)


def _role_ppm(role: Role, split: Split | None) -> int:
    if split is None:
        return 0
    return {Role.BURN: split.burn, Role.TREASURY: split.treasury, Role.STAKERS: split.stakers}[role]


def _breaks_sum(first: Receipt, second: Receipt) -> bool:
    if first.channel_id != second.channel_id or first.seq >= second.seq:
        return False
    upto = first.cumulative + second.price
    return second.cumulative < upto or (second.seq == first.seq + 1 and second.cumulative != upto)
