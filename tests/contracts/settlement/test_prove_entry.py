"""LedgerFaults.proveEntryLow and proveEntryHigh: entries against lines."""

from itertools import pairwise

import pytest

from protocol.hashing import address_word
from protocol.ledger_faults import EntryHigh, EntryLow, Pair
from protocol.ledger_records import NO_LEAF, Leaf
from tests.contracts.epochs import Ledger
from tests.contracts.settlement.honest import Honest, word
from tests.contracts.world import reverts


@pytest.fixture
def honest(ledger: Ledger) -> Honest:
    return Honest(ledger)


def several(honest: Honest) -> list[int]:
    """The places of an earner's lines, who has some, with other earners on both sides."""
    rows = honest.forger.rows["lines"][1]
    for major in sorted({row.major for row in rows})[1:-1]:
        places = [place for place, row in enumerate(rows) if row.major == major]
        if len(places) > 1:
            return places
    raise AssertionError("this seed plays no such earner")


def entry_of(honest: Honest, major: int) -> Leaf:
    rows = honest.forger.rows["entries"][1]
    key = major, address_word(honest.node)
    return honest.leaf("entries", next(place for place, row in enumerate(rows) if row.key == key))


def test_an_entry_is_exactly_its_lines(honest: Honest) -> None:
    """SPEC 7.106: the whole range is both the least and the most of an honest entry."""
    places = several(honest)
    first, last = honest.leaf("lines", places[0]), honest.leaf("lines", places[-1])
    before, after = honest.leaf("lines", places[0] - 1), honest.leaf("lines", places[-1] + 1)
    major = first.row.major
    entry = entry_of(honest, major)
    amount = entry.row.amount
    with reverts("LedgerFaultsWithinBound", amount, amount):
        honest.bring(EntryLow(major, honest.node, Pair(entry), first, last))
    with reverts("LedgerFaultsWithinBound", amount, amount):
        honest.bring(EntryHigh(entry, before, after))
    with reverts("LedgerFaultsWithinBound", amount, first.row.amount):
        honest.bring(EntryLow(major, honest.node, Pair(entry), first, NO_LEAF))
    total = honest.forger.trees["lines"].root.total
    with reverts("LedgerFaultsWithinBound", amount, total):
        honest.bring(EntryHigh(entry, NO_LEAF, NO_LEAF))


def test_a_range_is_of_one_earner(honest: Honest) -> None:
    """SPEC 7.106: its ends are the earner's and in order; bounds are of smaller and larger earners."""
    places = several(honest)
    first, last = honest.leaf("lines", places[0]), honest.leaf("lines", places[-1])
    before, after = honest.leaf("lines", places[0] - 1), honest.leaf("lines", places[-1] + 1)
    major = first.row.major
    entry = entry_of(honest, major)
    for start, end in ((before, last), (first, after), (last, first)):
        with reverts("LedgerRowsBadRange", 0, word(major)):
            honest.bring(EntryLow(major, honest.node, Pair(entry), start, end))
    for start, end in ((first, after), (before, last), (after, before), (after, NO_LEAF), (NO_LEAF, before)):
        with reverts("LedgerRowsBadRange", 0, word(major)):
            honest.bring(EntryHigh(entry, start, end))


def test_an_absence_is_shown_by_its_neighbours(honest: Honest) -> None:
    """SPEC 7.106: both adjacent, or one at the edge; nothing else makes an entry absent."""
    places = several(honest)
    line = honest.leaf("lines", places[0])
    major, node = line.row.major, address_word(honest.node)
    place = entry_of(honest, major).proof.index
    left, right = honest.leaf("entries", place - 1), honest.leaf("entries", place + 1)
    last = honest.leaf("entries", honest.count("entries") - 1)
    far = honest.leaf("entries", 0)
    for pair in (
        Pair(),
        Pair(left, right),
        Pair(NO_LEAF, right),
        Pair(left),
        Pair(last),
        Pair(far, right),
        Pair(right, left),
    ):
        with reverts("LedgerRowsNotShown", 1, word(major), word(node)):
            honest.bring(EntryLow(major, honest.node, pair, line, NO_LEAF))


def test_a_true_absence_makes_zero(honest: Honest) -> None:
    """SPEC 7.106: an earner without lines has no entry, at both edges and in the middle."""
    entries, node = honest.forger.rows["entries"][1], honest.node
    line = honest.leaf("lines", 0)
    end = len(entries)
    gaps = [
        (0, Pair(NO_LEAF, honest.leaf("entries", 0))),
        (next(a.major + 1 for a, b in pairwise(entries) if a.major + 1 < b.major), None),
        (2**160 - 1, Pair(honest.leaf("entries", end - 1))),
    ]
    for major, pair in gaps:
        place = next((at for at, row in enumerate(entries) if row.major > major), end)
        pair = pair or Pair(honest.leaf("entries", place - 1), honest.leaf("entries", place))
        # The absence is accepted; that a line of somebody else's says nothing about it is what fails.
        with reverts("LedgerRowsBadRange", 0, word(major)):
            honest.bring(EntryLow(major, node, pair, line, NO_LEAF))
