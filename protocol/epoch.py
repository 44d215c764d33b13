"""From the statements of an epoch to the roots that settle it: pure, so anyone can check who posted it.

A node states its lines (earner, request, amount) for what its channels moved to it in the epoch. The
commitment sums them by (earner, node), adds them to what each account had earned before, and commits
entries and cumulative amounts in two sum trees; the receipts' roots are on chain with each statement. Nothing
but the statements decides its bytes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from protocol.attribution import PublishedReport
from protocol.errors import SettlementError
from protocol.hashing import Keccak, address_word, tag, words
from protocol.receipt import Receipt, receipt_leaf
from protocol.rewards import Line
from protocol.sumtree import SumLeaf, SumProof, SumRoot, prove_sum, sum_root
from protocol.types import MAX_WEI, Address, EpochNumber


@dataclass(frozen=True, slots=True)
class Statement:
    """One node's word on one epoch.

    `lines` are sorted by (earner, request) and name each pair once; `receipts` are sorted by (channel, seq),
    are the node's own, and include every request that a line pays. A receipt paid in part stands in each
    epoch that paid it. `reports` opens each receipt's attribution root, so that anyone can check the shares;
    a statement is complete only with them.
    """

    node: Address
    epoch: int
    lines: tuple[Line, ...]
    receipts: tuple[Receipt, ...]
    reports: tuple[PublishedReport, ...] = ()

    def __post_init__(self) -> None:
        for before, after in pairwise(self.lines):
            if not (before.earner, before.request_id) < (after.earner, after.request_id):
                raise SettlementError(f"lines of {self.node} out of order at {after.earner}")
        for first, second in pairwise(self.receipts):
            if not (first.channel_id, first.seq) < (second.channel_id, second.seq):
                raise SettlementError(f"receipts of {self.node} out of order at seq {second.seq}")
        if self.reports and len(self.reports) != len(self.receipts):
            raise SettlementError(f"{len(self.reports)} reports of {len(self.receipts)} receipts")
        _check_payments(self)

    @property
    def total(self) -> int:
        """Wei of all lines; on chain it must equal what the epoch's claims funded."""
        return sum(line.amount for line in self.lines)


@dataclass(frozen=True, slots=True)
class EarnerEntry:
    """What one earner got through one node in the epoch."""

    earner: Address
    node: Address
    amount: int


@dataclass(frozen=True, slots=True)
class Commitment:
    """What is posted for an epoch, with all that its proofs need; `total` sums the cumulative amounts."""

    epoch: int
    entry_root: SumRoot
    cum_root: SumRoot
    cumulative: tuple[tuple[Address, int], ...]
    total: int
    entries: tuple[EarnerEntry, ...]


def epoch_of(t: int, genesis: int, length: int) -> EpochNumber:
    """floor((t - genesis) / length): epoch n is [genesis + n*length, genesis + (n+1)*length)."""
    if length <= 0 or t < genesis:
        raise SettlementError(f"time {t} has no epoch of length {length} from genesis {genesis}")
    return EpochNumber((t - genesis) // length)


def statement_root(statement: Statement, keccak: Keccak) -> SumRoot:
    """Sum tree over the lines: key H(TAG_LINE, earner, request), amount."""
    return sum_root(statement_leaves(statement, keccak), keccak)


def statement_leaves(statement: Statement, keccak: Keccak) -> tuple[SumLeaf, ...]:
    """The leaves of `statement_root`, in line order."""
    line_tag = tag("line", keccak)
    return tuple(
        SumLeaf(keccak(words(line_tag, address_word(line.earner), line.request_id)), line.amount)
        for line in statement.lines
    )


def build_commitment(
    epoch: int, statements: Sequence[Statement], previous: Mapping[Address, int], keccak: Keccak
) -> Commitment:
    """The one commitment these statements and the previous cumulative amounts allow, whatever their order."""
    ordered = sorted(statements, key=lambda statement: statement.node)
    _check_statements(epoch, ordered)
    entries = _entries(ordered)
    cumulative = _add(previous, entries)
    return commitment_of(epoch, entries, cumulative, keccak)


def commitment_of(
    epoch: int,
    entries: tuple[EarnerEntry, ...],
    cumulative: tuple[tuple[Address, int], ...],
    keccak: Keccak,
) -> Commitment:
    """A commitment from the leaves of its two trees; SettlementError when they are out of order."""
    _check_ascending([account for account, _ in cumulative])
    _check_ascending([f"{entry.earner} {entry.node}" for entry in entries])
    return Commitment(
        epoch=epoch,
        entry_root=sum_root([entry_leaf(entry, keccak) for entry in entries], keccak),
        cum_root=sum_root([cumulative_leaf(account, amount) for account, amount in cumulative], keccak),
        cumulative=cumulative,
        total=sum(amount for _, amount in cumulative),
        entries=entries,
    )


def entry_leaf(entry: EarnerEntry, keccak: Keccak) -> SumLeaf:
    """Key H(TAG_ENTRY_LEAF, earner, node)."""
    key = keccak(words(tag("entry_leaf", keccak), address_word(entry.earner), address_word(entry.node)))
    return SumLeaf(key, entry.amount)


def cumulative_leaf(account: Address, amount: int) -> SumLeaf:
    """Key: the account as a word, so that the tree is sorted by what it is keyed with."""
    return SumLeaf(words(address_word(account)), amount)


def claim_proof(commitment: Commitment, account: Address, keccak: Keccak) -> SumProof:
    """Proof of (account, cumulative) under the commitment's cum_root; SettlementError for a stranger."""
    place = next((i for i, (known, _) in enumerate(commitment.cumulative) if known == account), None)
    if place is None:
        raise SettlementError(f"{account} has earned nothing up to epoch {commitment.epoch}")
    leaves = [cumulative_leaf(known, amount) for known, amount in commitment.cumulative]
    return prove_sum(leaves, place, keccak)


def receipt_proof(statement: Statement, receipt: Receipt, keccak: Keccak) -> SumProof:
    """Proof of the receipt under the statement's receipts root; SettlementError where it is not in it."""
    if receipt not in statement.receipts:
        raise SettlementError(f"receipt {receipt.request_id.hex()} is not stated in epoch {statement.epoch}")
    leaves = [receipt_leaf(one, keccak) for one in statement.receipts]
    return prove_sum(leaves, statement.receipts.index(receipt), keccak)


def _check_ascending(keys: Sequence[str]) -> None:
    for before, after in pairwise(keys):
        if not before < after:
            raise SettlementError(f"leaves {before} and {after} are not strictly ascending")


def _check_payments(statement: Statement) -> None:
    paid: dict[bytes, int] = {}
    for line in statement.lines:
        if not 0 < line.amount <= MAX_WEI:
            raise SettlementError(f"line of {line.amount} wei for {line.earner}")
        paid[line.request_id] = paid.get(line.request_id, 0) + line.amount
    prices = {receipt.request_id: receipt.price for receipt in statement.receipts}
    if len(prices) != len(statement.receipts):
        raise SettlementError(f"{statement.node} states two receipts for one request")
    for receipt in statement.receipts:
        if receipt.node != statement.node:
            raise SettlementError(f"{statement.node} states a receipt of {receipt.node}")
    for request, amount in paid.items():
        if amount > prices.get(request, -1):
            raise SettlementError(f"{amount} wei stated for {request.hex()} of price {prices.get(request)}")


def _check_statements(epoch: int, statements: Sequence[Statement]) -> None:
    for before, after in pairwise(statements):
        if before.node == after.node:
            raise SettlementError(f"{after.node} made two statements for epoch {epoch}")
    for statement in statements:
        if statement.epoch != epoch:
            raise SettlementError(
                f"statement of {statement.node} is for epoch {statement.epoch}, not {epoch}"
            )


def _entries(statements: Sequence[Statement]) -> tuple[EarnerEntry, ...]:
    sums: dict[tuple[Address, Address], int] = {}
    for statement in statements:
        for line in statement.lines:
            pair = (line.earner, statement.node)
            sums[pair] = sums.get(pair, 0) + line.amount
    return tuple(EarnerEntry(earner, node, sums[earner, node]) for earner, node in sorted(sums))


def _add(previous: Mapping[Address, int], entries: Sequence[EarnerEntry]) -> tuple[tuple[Address, int], ...]:
    cumulative = dict(previous)
    for entry in entries:
        cumulative[entry.earner] = cumulative.get(entry.earner, 0) + entry.amount
    if any(amount < 0 for amount in cumulative.values()) or sum(cumulative.values()) > MAX_WEI:
        raise SettlementError(f"cumulative amounts are negative or pass {MAX_WEI} in all")
    return tuple((account, cumulative[account]) for account in sorted(cumulative))
