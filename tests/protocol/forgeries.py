"""Evidence against an honest epoch: its own leaves in every combination, and mutations of them."""

from collections.abc import Callable, Iterator
from dataclasses import fields, is_dataclass, replace
from random import Random
from typing import Any

from eth_hash.auto import keccak

from protocol.ledger_faults import (
    CumulativeHigh,
    CumulativeLow,
    EntryHigh,
    EntryLow,
    LeafFault,
    LedgerFault,
    OrderFault,
    Pair,
    TotalFault,
)
from protocol.ledger_records import NO_LEAF, Leaf, Tree, receipts_tree, tree_of
from protocol.receipt_faults import (
    Overpaid,
    ReceiptConflict,
    ReceiptFault,
    ReceiptOrder,
    Role,
    StatedFault,
    StatedReceipt,
    Underpaid,
    UnpaidReceipt,
    VoucherFault,
)
from protocol.receipt_watch import NO_ACKNOWLEDGED
from protocol.sumtree import SumTree
from protocol.types import Address
from tests.protocol.ledgers import Played, PlayedEpoch

Fault = LedgerFault | StatedFault
MAKERS = 14


class Forger:
    """Picks honest leaves at random and fits them into every kind of evidence."""

    def __init__(self, played: Played, epoch: PlayedEpoch, random: Random) -> None:
        self.played, self.epoch, self.random = played, epoch, random
        self.node: Address = random.choice([one.node for one in epoch.statements])
        data = epoch.data
        self.rows = {
            "lines": (Tree.LINES, data.statements[self.node].lines),
            "entries": (Tree.ENTRIES, data.commitment.entries),
            "cumulative": (Tree.CUMULATIVE, data.commitment.cumulative),
            "previous": (Tree.CUMULATIVE, data.previous.cumulative),
        }
        self.trees = {name: tree_of(tree, rows, keccak) for name, (tree, rows) in self.rows.items()}
        self.receipts = data.statements[self.node].receipts
        self.stated_tree = receipts_tree(self.receipts, keccak)

    def leaf(self, name: str, place: int | None = None) -> Leaf:
        rows = self.rows[name][1]
        if place is None:
            place = self.random.randrange(-1, len(rows) + 1)
        if not 0 <= place < len(rows):
            return NO_LEAF
        return Leaf(rows[place], self.trees[name].prove(place))

    def pair(self, name: str) -> Pair:
        place = self.random.randrange(-1, len(self.rows[name][1]) + 1)
        kind = self.random.randrange(3)
        if kind == 0:
            return Pair(self.leaf(name, place))
        return Pair(self.leaf(name, place), self.leaf(name, place + kind))

    def stated(self) -> StatedReceipt:
        place = self.random.randrange(len(self.receipts))
        receipt, amount = self.receipts[place]
        return StatedReceipt(receipt, amount, self.stated_tree.prove(place))

    def lines(self, stated: StatedReceipt) -> tuple[Leaf, ...]:
        request = int.from_bytes(stated.receipt.request_id, "big")
        rows = self.rows["lines"][1]
        places = [place for place, row in enumerate(rows) if row.minor == request]
        kept = self.random.randrange(len(places) + 1)
        return tuple(self.leaf("lines", place) for place in sorted(self.random.sample(places, kept)))

    def voucher(self) -> Fault:
        stated = self.stated()
        claimed = self.played.evidence.claimed
        if not claimed:
            return UnpaidReceipt(self.node, stated)
        last = claimed.get(stated.receipt.channel_id) or claimed[self.random.choice(sorted(claimed))]
        leaf, proof = NO_ACKNOWLEDGED
        if self.random.random() < 0.9:
            place = self.random.randrange(len(last.leaves))
            leaf, proof = last.leaves[place], SumTree(last.leaves, keccak).prove(place)
        return VoucherFault(self.node, stated, last.voucher, leaf, proof)

    def make(self, kind: int) -> Fault:
        name = self.random.choice(("lines", "entries", "cumulative"))
        tree, node = self.rows[name][0], self.node if name == "lines" else None
        earner = self.random.choice(self.rows["lines"][1]).major
        leaf, stated = self.leaf, self.stated()
        account = self.random.choice(self.rows["cumulative"][1]).major
        makers: tuple[Callable[[], Fault], ...] = (
            lambda: TotalFault(tree, node, leaf(name)),
            lambda: OrderFault(tree, node, leaf(name), leaf(name)),
            lambda: LeafFault(tree, node, leaf(name)),
            lambda: EntryLow(earner, self.node, self.pair("entries"), leaf("lines"), leaf("lines")),
            lambda: EntryHigh(leaf("entries"), leaf("lines"), leaf("lines")),
            lambda: CumulativeLow(account, leaf("cumulative"), leaf("previous"), leaf("entries")),
            lambda: CumulativeHigh(account, leaf("cumulative"), leaf("previous"), leaf("entries")),
            lambda: ReceiptFault(self.node, stated),
            lambda: ReceiptOrder(self.node, stated, self.stated()),
            lambda: ReceiptConflict(self.node, stated, self.stated()),
            lambda: Overpaid(self.node, stated, self.lines(stated)),
            lambda: Underpaid(
                self.node, stated, self.random.choice(list(Role)), self.pair("lines"), self.lines(stated)
            ),
            self.voucher,
            lambda: UnpaidReceipt(self.node, stated),
        )
        return makers[kind]()


def forgeries(played: Played, epoch: PlayedEpoch, random: Random, count: int) -> Iterator[Fault]:
    """`count` pieces of evidence of all kinds in turn, every other one mutated."""
    forger = Forger(played, epoch, random)
    for number in range(count):
        fault = forger.make(number % MAKERS)
        yield mutate(fault, random) if (number // MAKERS) % 2 else fault


def mutate(value: Any, random: Random) -> Any:
    """The same with one number, word, step or part somewhere in it changed."""
    if is_dataclass(value) and not isinstance(value, type):
        names = [
            field.name
            for field in fields(value)
            if field.name not in ("tree", "node", "role") and _is_mutable(getattr(value, field.name))
        ]
        if not names:
            return value
        name = random.choice(names)
        changed = mutate(getattr(value, name), random)
        # What cannot be encoded for the contract is no evidence.
        return _replaced(value, name, changed)
    if isinstance(value, bytes):
        return (int.from_bytes(value, "big") ^ 1 << random.randrange(256)).to_bytes(32, "big")
    if isinstance(value, int):
        return max(0, value + random.choice((-1, 1)))
    return _mutated_tuple(value, random)


def _mutated_tuple(value: tuple[Any, ...], random: Random) -> tuple[Any, ...]:
    place = random.randrange(len(value))
    if isinstance(value[0], bytes) or random.random() < 0.6:
        return (*value[:place], mutate(value[place], random), *value[place + 1 :])
    return value[:place] + value[place + 1 :] if random.random() < 0.5 else (*value, value[place])


def _is_mutable(value: Any) -> bool:
    if isinstance(value, tuple):
        return len(value) > 0
    return isinstance(value, int | bytes) or is_dataclass(value)


def _replaced(value: Any, name: str, changed: Any) -> Any:
    try:
        return replace(value, **{name: changed})
    except ValueError:
        return value
