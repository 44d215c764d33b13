"""The fault proofs of the ledger (F5, F6): evidence, and whether it convicts.

Each class is one function of contracts/settlement/LedgerFaults.sol: its fields are the arguments, `holds`
says whether the contract accepts them. A fault in `Tree.LINES` is the stating node's, any other the
committer's. A wrong amount is shown by a bound: what some rows make at least, or at most, never by all rows
of an account; on an honest ledger both bounds enclose the truth, so that neither can be passed.
"""

from dataclasses import dataclass

from protocol.hashing import ZERO_WORD, Keccak, address_word
from protocol.ledger_records import (
    NO_COMMITMENT,
    NO_LEAF,
    EpochRecords,
    Leaf,
    Tree,
    row_leaf,
    stands,
    sum_upto,
)
from protocol.sumtree import climb, record_digest, sum_before
from protocol.types import Address

ADDRESS_BITS = 160


@dataclass(frozen=True, slots=True)
class Pair:
    """One leaf that is there (in `left`), or the two neighbours of one that is not; edges lack one."""

    left: Leaf = NO_LEAF
    right: Leaf = NO_LEAF


@dataclass(frozen=True, slots=True)
class TotalFault:
    """The root binds another total, or another count of lines, than the record says."""

    tree: Tree
    node: Address | None
    leaf: Leaf

    def holds(self, records: EpochRecords, keccak: Keccak) -> bool:
        """Any leaf opens the root; an empty tree needs none."""
        root, total = records.root_of(self.tree, self.node)
        bound = self._bound(root, keccak) if is_recorded(records, self.tree, self.node) else None
        if bound is None:
            return False
        count = bound[0] if self.node is None else records.statement(self.node).count
        return bound != (count, total)

    def _bound(self, root: bytes, keccak: Keccak) -> tuple[int, int] | None:
        if root == ZERO_WORD:
            return 0, 0
        if self.tree is Tree.CUMULATIVE and self.leaf.row.minor != 0:
            return None
        climbed = climb(row_leaf(self.tree, self.leaf.row, keccak), self.leaf.proof, keccak)
        if climbed is None:
            return None
        top, total = climbed
        count = self.leaf.proof.count
        return (count, total) if record_digest(top, count, total, keccak) == root else None


@dataclass(frozen=True, slots=True)
class OrderFault:
    """Two neighbours that do not ascend: out of order, or the same pair twice."""

    tree: Tree
    node: Address | None
    first: Leaf
    second: Leaf

    def holds(self, records: EpochRecords, keccak: Keccak) -> bool:
        """Both stand there, next to each other."""
        record = records.root_of(self.tree, self.node)
        return (
            stands(self.tree, self.first, record, keccak)
            and stands(self.tree, self.second, record, keccak)
            and self.second.proof.index == self.first.proof.index + 1
            and self.first.row.key >= self.second.row.key
        )


@dataclass(frozen=True, slots=True)
class LeafFault:
    """A row that no rule makes: of nothing, or for what is no account."""

    tree: Tree
    node: Address | None
    leaf: Leaf

    def holds(self, records: EpochRecords, keccak: Keccak) -> bool:
        """The row stands there."""
        row = self.leaf.row
        odd = row.amount == 0 or bool(row.major >> ADDRESS_BITS)
        odd = odd or (self.tree is Tree.ENTRIES and bool(row.minor >> ADDRESS_BITS))
        return odd and stands(self.tree, self.leaf, records.root_of(self.tree, self.node), keccak)


@dataclass(frozen=True, slots=True)
class EntryLow:
    """An entry, or its absence, below what a range of the node's lines pays the earner."""

    earner: int
    node: Address
    entry: Pair
    first: Leaf
    last: Leaf

    def holds(self, records: EpochRecords, keccak: Keccak) -> bool:
        """The range counts only if both its ends are the earner's; without `last` it is one line."""
        key = self.earner, address_word(self.node)
        entry = amount_of(Tree.ENTRIES, key, self.entry, (records.commitment.entry_root, 0), keccak)
        lines = records.root_of(Tree.LINES, self.node)
        least = least_of(Tree.LINES, self.earner, self.first, self.last, lines, keccak)
        shown = entry is not None and least is not None and entry < least
        return shown and is_recorded(records, Tree.ENTRIES, None)


@dataclass(frozen=True, slots=True)
class EntryHigh:
    """An entry above all that the node's lines between two others can pay the earner; zero without lines."""

    entry: Leaf
    before: Leaf
    after: Leaf

    def holds(self, records: EpochRecords, keccak: Keccak) -> bool:
        """`before` and `after` belong to smaller and larger earners, or are left out at the edges."""
        row = self.entry.row
        entries = records.commitment.entry_root, 0
        if row.minor >> ADDRESS_BITS or not stands(Tree.ENTRIES, self.entry, entries, keccak):
            return False
        lines = records.root_of(Tree.LINES, Address(f"0x{row.minor:040x}"))
        most = most_of(Tree.LINES, row.major, self.before, self.after, lines, keccak)
        return most is not None and row.amount > most


@dataclass(frozen=True, slots=True)
class CumulativeLow:
    """The cumulative amounts of all accounts up to one are below their previous ones plus their entries.

    They end before `cumulative`, of a larger account, or are all; `previous` and `entry`, of accounts up to
    this one, are among the others, or stand for nothing.
    """

    account: int
    cumulative: Leaf
    previous: Leaf
    entry: Leaf

    def holds(self, records: EpochRecords, keccak: Keccak) -> bool:
        """Sums up to an account need no proof of who is absent, and the first wrong account shows in them."""
        if not is_recorded(records, Tree.CUMULATIVE, None):
            return False
        now, old, entries = cumulative_records(records)
        most = most_up_to(Tree.CUMULATIVE, self.account, self.cumulative, now, keccak)
        before = least_up_to(Tree.CUMULATIVE, self.account, self.previous, old, keccak)
        earned = least_up_to(Tree.ENTRIES, self.account, self.entry, entries, keccak)
        return most is not None and before is not None and earned is not None and most < before + earned


@dataclass(frozen=True, slots=True)
class CumulativeHigh:
    """The cumulative amounts of all accounts up to one are above their previous ones plus their entries.

    `cumulative`, of an account up to this one, is among them; the others end before `previous` and `entry`,
    of larger accounts, or are all.
    """

    account: int
    cumulative: Leaf
    previous: Leaf
    entry: Leaf

    def holds(self, records: EpochRecords, keccak: Keccak) -> bool:
        """The mirror of `CumulativeLow`."""
        if not is_recorded(records, Tree.CUMULATIVE, None):
            return False
        now, old, entries = cumulative_records(records)
        least = least_up_to(Tree.CUMULATIVE, self.account, self.cumulative, now, keccak)
        before = most_up_to(Tree.CUMULATIVE, self.account, self.previous, old, keccak)
        earned = most_up_to(Tree.ENTRIES, self.account, self.entry, entries, keccak)
        return least is not None and before is not None and earned is not None and least > before + earned


LedgerFault = TotalFault | OrderFault | LeafFault | EntryLow | EntryHigh | CumulativeLow | CumulativeHigh


def amount_of(
    tree: Tree, key: tuple[int, int], pair: Pair, record: tuple[bytes, int], keccak: Keccak
) -> int | None:
    """The proven amount at `key`, zero where it is proven absent; None where neither is proven."""
    left, right = pair.left, pair.right
    if not left.is_given and not right.is_given:
        return 0 if record[0] == ZERO_WORD else None
    if any(leaf.is_given and not stands(tree, leaf, record, keccak) for leaf in (left, right)):
        return None
    if left.is_given and left.row.key == key:
        return left.row.amount
    if (left.is_given and left.row.key > key) or (right.is_given and right.row.key <= key):
        return None
    after_left = left.proof.index + 1 if left.is_given else 0
    edge = right.proof.index if right.is_given else left.proof.count
    return 0 if edge == after_left else None


def least_of(
    tree: Tree, major: int, first: Leaf, last: Leaf, record: tuple[bytes, int], keccak: Keccak
) -> int | None:
    """What the rows from `first` to `last`, both of `major`, sum to, or `first` alone; None where that is
    not proven.
    """
    if first.row.major != major or not stands(tree, first, record, keccak):
        return None
    if not last.is_given:
        return first.row.amount
    if last.row.major != major or not stands(tree, last, record, keccak):
        return None
    return sum_upto(last) - sum_before(first.proof) if first.proof.index <= last.proof.index else None


def most_of(
    tree: Tree, major: int, before: Leaf, after: Leaf, record: tuple[bytes, int], keccak: Keccak
) -> int | None:
    """What the rows between `before` and `after` sum to, which all rows of `major` are among; None where
    that is not proven.
    """
    if before.is_given and before.row.major == major:
        return None
    start = least_up_to(tree, major, before, record, keccak)
    end = most_up_to(tree, major, after, record, keccak)
    return end - start if start is not None and end is not None and start <= end else None


def least_up_to(tree: Tree, major: int, leaf: Leaf, record: tuple[bytes, int], keccak: Keccak) -> int | None:
    """A sum that the rows of all accounts up to `major` reach: up to one of them, or zero."""
    if not leaf.is_given:
        return 0
    proven = leaf.row.major <= major and stands(tree, leaf, record, keccak)
    return sum_upto(leaf) if proven else None


def most_up_to(tree: Tree, major: int, leaf: Leaf, record: tuple[bytes, int], keccak: Keccak) -> int | None:
    """A sum that they do not pass: before a larger account, or all."""
    if not leaf.is_given:
        return record[1]
    proven = leaf.row.major > major and stands(tree, leaf, record, keccak)
    return sum_before(leaf.proof) if proven else None


def cumulative_records(
    records: EpochRecords,
) -> tuple[tuple[bytes, int], tuple[bytes, int], tuple[bytes, int]]:
    """(root, total) of the cumulative amounts, of the previous ones, and of the entries between them."""
    old = records.previous.cum_root, records.previous.total
    return records.root_of(Tree.CUMULATIVE, None), old, records.root_of(Tree.ENTRIES, None)


def is_recorded(records: EpochRecords, tree: Tree, node: Address | None) -> bool:
    """Whether there is a statement, or a commitment, that the tree could be wrong in. Only lines are a
    node's.
    """
    if tree is Tree.LINES:
        return node is not None and node in records.statements
    return node is None and records.commitment != NO_COMMITMENT
