"""What a watcher does with an epoch: compare its trees with the rules, and name a proof for each difference.

It looks at data as published, so nothing here may fail on a wrong row. Data that does not make the root on
chain convicts nobody by itself: that is for a data challenge, and its tree is passed over here.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

from protocol.errors import EncodingError
from protocol.hashing import Keccak, address_word
from protocol.ledger_faults import (
    ADDRESS_BITS,
    CumulativeHigh,
    CumulativeLow,
    EntryHigh,
    EntryLow,
    LeafFault,
    LedgerFault,
    OrderFault,
    Pair,
    TotalFault,
    is_recorded,
)
from protocol.ledger_records import NO_LEAF, EpochData, EpochRecords, Leaf, Row, Tree, tree_of
from protocol.sumtree import SumTree
from protocol.types import Address


@dataclass(frozen=True)
class Grown:
    """Rows and the tree that they make, which is the one on chain."""

    tree: Tree
    rows: tuple[Row, ...]
    sums: SumTree

    def leaf(self, place: int) -> Leaf:
        """The row at `place` with its proof; NO_LEAF outside the tree."""
        if not 0 <= place < len(self.rows):
            return NO_LEAF
        return Leaf(self.rows[place], self.sums.prove(place))

    def find(self, key: tuple[int, int]) -> int:
        """Where the first row not below `key` stands."""
        return bisect_left(self.rows, key, key=lambda row: row.key)

    def pair(self, key: tuple[int, int]) -> Pair:
        """The row of that key, or the neighbours of its gap."""
        place = self.find(key)
        if place < len(self.rows) and self.rows[place].key == key:
            return Pair(self.leaf(place))
        return Pair(self.leaf(place - 1), self.leaf(place))

    def span(self, major: int) -> tuple[int, int]:
        """Places [start, end) of the rows of `major`."""
        return self.find((major, 0)), self.find((major + 1, 0))

    def sum_of(self, major: int) -> int:
        """What the rows of `major` sum to."""
        start, end = self.span(major)
        return sum(row.amount for row in self.rows[start:end])


def find_ledger_faults(records: EpochRecords, data: EpochData, keccak: Keccak) -> list[LedgerFault]:
    """A proof for each way in which the epoch's ledger breaks the rules; empty for an honest one.

    Statements are judged first: where one is wrong its commitment falls with it, and is not judged by it.
    """
    found = [fault for fault in _empty_roots(records) if fault.holds(records, keccak)]
    lines: dict[Address, Grown] = {}
    for node in records.statements:
        rows = data.statements[node].lines if node in data.statements else None
        grown = None if rows is None else grow(Tree.LINES, rows, records.statement(node).root, keccak)
        if grown is not None:
            lines[node] = grown
            found += tree_faults(records, grown, node)
    if not found and is_recorded(records, Tree.ENTRIES, None):
        found += _commitment_faults(records, data, lines, keccak)
    # A tree with another total than recorded is wrong by that, and nothing else is proven in it.
    return [fault for fault in found if fault.holds(records, keccak)]


def _empty_roots(records: EpochRecords) -> Iterator[LedgerFault]:
    """An empty root opens without data."""
    for node in records.statements:
        yield TotalFault(Tree.LINES, node, NO_LEAF)
    for tree in (Tree.ENTRIES, Tree.CUMULATIVE):
        yield TotalFault(tree, None, NO_LEAF)


def tree_faults(records: EpochRecords, grown: Grown, node: Address | None) -> Iterator[LedgerFault]:
    """What is wrong with one tree by itself: its total, its rows, their order."""
    count = grown.sums.root.count if node is None else records.statement(node).count
    recorded = count, records.root_of(grown.tree, node)[1]
    if recorded != (grown.sums.root.count, grown.sums.root.total):
        yield TotalFault(grown.tree, node, grown.leaf(0))
    for place, row in enumerate(grown.rows):
        odd = row.major >> ADDRESS_BITS or (grown.tree is Tree.ENTRIES and row.minor >> ADDRESS_BITS)
        if row.amount == 0 or odd:
            yield LeafFault(grown.tree, node, grown.leaf(place))
        if place and grown.rows[place - 1].key >= row.key:
            yield OrderFault(grown.tree, node, grown.leaf(place - 1), grown.leaf(place))


def _commitment_faults(
    records: EpochRecords, data: EpochData, lines: Mapping[Address, Grown], keccak: Keccak
) -> list[LedgerFault]:
    commitment, previous = records.commitment, records.previous
    entries = grow(Tree.ENTRIES, data.commitment.entries, commitment.entry_root, keccak)
    cumulative = grow(Tree.CUMULATIVE, data.commitment.cumulative, commitment.cum_root, keccak)
    before = grow(Tree.CUMULATIVE, data.previous.cumulative, previous.cum_root, keccak)
    found: list[LedgerFault] = []
    for grown in (entries, cumulative):
        if grown is not None:
            found += tree_faults(records, grown, None)
    # Sums over rows out of order mean nothing, and need not be looked at any more.
    if found or entries is None:
        return found
    found += entry_faults(records, entries, lines, keccak)
    if cumulative is not None and before is not None:
        found += cumulative_faults(entries, cumulative, before)
    return found


def entry_faults(
    records: EpochRecords, entries: Grown, lines: Mapping[Address, Grown], keccak: Keccak
) -> Iterator[LedgerFault]:
    """Entries against lines: each entry by its node's statement, then each statement's earners."""
    nothing = Grown(Tree.LINES, (), SumTree((), keccak))
    for place, row in enumerate(entries.rows):
        node = Address(f"0x{row.minor:040x}")
        stated = lines.get(node) if node in records.statements else nothing
        if stated is not None and row.amount > stated.sum_of(row.major):
            start, end = stated.span(row.major)
            yield EntryHigh(entries.leaf(place), stated.leaf(start - 1), stated.leaf(end))
    for node, stated in lines.items():
        for earner in sorted({row.major for row in stated.rows}):
            found = entries.pair((earner, address_word(node)))
            if _amount(found, (earner, address_word(node))) < stated.sum_of(earner):
                start, end = stated.span(earner)
                last = stated.leaf(end - 1) if end - start > 1 else NO_LEAF
                yield EntryLow(earner, node, found, stated.leaf(start), last)


def cumulative_faults(entries: Grown, cumulative: Grown, before: Grown) -> Iterator[LedgerFault]:
    """The first account up to which cumulative amounts are not the previous ones plus the entries."""
    majors = sorted({row.major for grown in (entries, cumulative, before) for row in grown.rows})
    due = now = 0
    for account in majors:
        due += before.sum_of(account) + entries.sum_of(account)
        now += cumulative.sum_of(account)
        if now != due:
            last = [grown.span(account)[1] for grown in (cumulative, before, entries)]
            if now > due:
                above = cumulative.leaf(last[0] - 1), before.leaf(last[1]), entries.leaf(last[2])
                yield CumulativeHigh(account, *above)
            else:
                below = cumulative.leaf(last[0]), before.leaf(last[1] - 1), entries.leaf(last[2] - 1)
                yield CumulativeLow(account, *below)
            return


def grow(tree: Tree, rows: Sequence[Row], root: bytes, keccak: Keccak) -> Grown | None:
    """The tree that published rows make; None where it is not the one on chain."""
    try:
        sums = tree_of(tree, rows, keccak)
    except EncodingError:
        return None
    if tree is Tree.CUMULATIVE and any(row.minor for row in rows):
        return None
    return Grown(tree, tuple(rows), sums) if sums.root.digest == root else None


def _amount(pair: Pair, key: tuple[int, int]) -> int:
    return pair.left.row.amount if pair.left.is_given and pair.left.row.key == key else 0
