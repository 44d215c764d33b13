"""An epoch's ledger as a watcher sees it: what stands on chain, and the rows behind it, right or wrong.

Lines, entries and cumulative amounts are rows of two words and an amount, ascending by those words: (earner,
request), (earner, node), (account, 0). Nothing here assumes that a row or its place is as it should be, so
that a fault can be held, named and proven. Solidity twin: contracts/settlement/LedgerFaults.sol.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum

from protocol.epoch import Commitment, Statement, statement_root
from protocol.hashing import ZERO_WORD, Keccak, address_word, tag, words
from protocol.receipt import Receipt, hash_receipt, receipts_sum_root
from protocol.sumtree import SumLeaf, SumProof, SumTree, climb, record_digest, sum_before
from protocol.types import Address


class Tree(IntEnum):
    """Which tree a leaf stands in; the numbers are the contract's."""

    LINES = 0
    ENTRIES = 1
    CUMULATIVE = 2


_TAGS = {Tree.LINES: "line", Tree.ENTRIES: "entry_leaf"}


@dataclass(frozen=True, slots=True)
class Row:
    """`major` is the earner or account, `minor` the request, the node or zero; both as words."""

    major: int
    minor: int
    amount: int

    @property
    def key(self) -> tuple[int, int]:
        """What rows are sorted by."""
        return self.major, self.minor


@dataclass(frozen=True, slots=True)
class Leaf:
    """A row with its proof; a proof of count 0 says that there is none."""

    row: Row
    proof: SumProof

    @property
    def is_given(self) -> bool:
        """Whether there is a leaf at all."""
        return self.proof.count != 0


NO_LEAF = Leaf(Row(0, 0, 0), SumProof(0, 0, ()))


@dataclass(frozen=True, slots=True)
class StatementRecord:
    """What a published statement left on chain."""

    root: bytes
    receipts_root: bytes
    total: int
    count: int


@dataclass(frozen=True, slots=True)
class CommitmentRecord:
    """What a commitment left on chain; all zero where there is none."""

    entry_root: bytes
    cum_root: bytes
    total: int


NO_STATEMENT = StatementRecord(ZERO_WORD, ZERO_WORD, 0, 0)
NO_COMMITMENT = CommitmentRecord(ZERO_WORD, ZERO_WORD, 0)


@dataclass(frozen=True)
class EpochRecords:
    """One epoch on chain: statements that stand, its commitment, and the one that it builds on."""

    epoch: int
    statements: Mapping[Address, StatementRecord]
    commitment: CommitmentRecord = NO_COMMITMENT
    previous: CommitmentRecord = NO_COMMITMENT

    def statement(self, node: Address) -> StatementRecord:
        """A node's statement; all zero where it made none."""
        return self.statements.get(node, NO_STATEMENT)

    def root_of(self, tree: Tree, node: Address | None) -> tuple[bytes, int]:
        """The recorded (root, total) of one of the epoch's trees; lines are a node's."""
        if tree is Tree.LINES:
            stated = NO_STATEMENT if node is None else self.statement(node)
            return stated.root, stated.total
        if tree is Tree.ENTRIES:
            return self.commitment.entry_root, self.commitment.total - self.previous.total
        return self.commitment.cum_root, self.commitment.total


@dataclass(frozen=True)
class PublishedStatement:
    """A statement's data as published: rows of its lines, and each receipt with its leaf's amount."""

    lines: tuple[Row, ...]
    receipts: tuple[tuple[Receipt, int], ...]


@dataclass(frozen=True)
class PublishedCommitment:
    """A commitment's data as published."""

    entries: tuple[Row, ...] = ()
    cumulative: tuple[Row, ...] = ()


@dataclass(frozen=True)
class EpochData:
    """The data behind `EpochRecords`, as far as it was published."""

    statements: Mapping[Address, PublishedStatement]
    commitment: PublishedCommitment = field(default_factory=PublishedCommitment)
    previous: PublishedCommitment = field(default_factory=PublishedCommitment)


def row_leaf(tree: Tree, row: Row, keccak: Keccak) -> SumLeaf:
    """The sum tree's leaf of a row: lines and entries are keyed by a digest, accounts by themselves."""
    if tree is Tree.CUMULATIVE:
        return SumLeaf(words(row.major), row.amount)
    return SumLeaf(keccak(words(tag(_TAGS[tree], keccak), row.major, row.minor)), row.amount)


def receipt_row_leaf(receipt: Receipt, amount: int, keccak: Keccak) -> SumLeaf:
    """The leaf under which a statement holds a receipt; an honest one's amount is the price."""
    return SumLeaf(hash_receipt(receipt, keccak), amount)


def tree_of(tree: Tree, rows: Sequence[Row], keccak: Keccak) -> SumTree:
    """The sum tree over rows as they are."""
    return SumTree([row_leaf(tree, row, keccak) for row in rows], keccak)


def receipts_tree(receipts: Sequence[tuple[Receipt, int]], keccak: Keccak) -> SumTree:
    """The sum tree over a statement's receipts as they are."""
    return SumTree([receipt_row_leaf(receipt, amount, keccak) for receipt, amount in receipts], keccak)


def line_rows(statement: Statement) -> tuple[Row, ...]:
    """A statement's lines as rows."""
    return tuple(
        Row(address_word(line.earner), int.from_bytes(line.request_id, "big"), line.amount)
        for line in statement.lines
    )


def statement_record(statement: Statement, keccak: Keccak) -> StatementRecord:
    """What an honest statement leaves on chain."""
    root = statement_root(statement, keccak)
    receipts = receipts_sum_root(statement.receipts, keccak).digest
    return StatementRecord(root.digest, receipts, root.total, root.count)


def published_statement(statement: Statement) -> PublishedStatement:
    """An honest statement's data."""
    return PublishedStatement(
        line_rows(statement), tuple((receipt, receipt.price) for receipt in statement.receipts)
    )


def commitment_record(commitment: Commitment) -> CommitmentRecord:
    """What an honest commitment leaves on chain."""
    return CommitmentRecord(commitment.entry_root.digest, commitment.cum_root.digest, commitment.total)


def published_commitment(commitment: Commitment) -> PublishedCommitment:
    """An honest commitment's data."""
    return PublishedCommitment(
        tuple(
            Row(address_word(entry.earner), address_word(entry.node), entry.amount)
            for entry in commitment.entries
        ),
        tuple(Row(address_word(account), 0, amount) for account, amount in commitment.cumulative),
    )


def stands(tree: Tree, leaf: Leaf, record: tuple[bytes, int], keccak: Keccak) -> bool:
    """Whether a leaf is proven under a recorded (root, total); a total of 0 is not asked for."""
    root, total = record
    if tree is Tree.CUMULATIVE and leaf.row.minor != 0:
        return False
    climbed = climb(row_leaf(tree, leaf.row, keccak), leaf.proof, keccak)
    if climbed is None or total not in (0, climbed[1]):
        return False
    return record_digest(climbed[0], leaf.proof.count, climbed[1], keccak) == root


def sum_upto(leaf: Leaf) -> int:
    """The sum of all leaves up to and including a proven one."""
    return sum_before(leaf.proof) + leaf.row.amount
