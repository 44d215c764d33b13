"""Fault proofs in trees of 2^17 leaves: what each costs, sealed, on a chain that records just their roots.

Only eight leaves of a tree are real; the siblings above them are made up, as no proof looks below them.
"""

from collections.abc import Sequence
from dataclasses import replace

from node.chain.keccak import keccak
from protocol.fault_calls import ledger_call, receipt_call
from protocol.hashing import address_word
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
from protocol.ledger_records import NO_LEAF, Leaf, Row, Tree, receipt_row_leaf, row_leaf
from protocol.receipt import Receipt, Voucher
from protocol.receipt_faults import (
    Overpaid,
    ReceiptConflict,
    ReceiptFault,
    ReceiptOrder,
    Role,
    StatedReceipt,
    Underpaid,
    UnpaidReceipt,
    VoucherFault,
)
from protocol.rewards import stakers_account
from protocol.sumtree import SumLeaf, SumProof, SumTree, climb, record_digest
from tests.contracts.channel import FOREVER, OpenChannel, open_channel
from tests.contracts.epochs import CID, Ledger, receipt_of
from tests.contracts.ledgers import Fault, checksummed
from tests.contracts.world import World, rewound

DEPTH = 17
COUNT = 1 << DEPTH
PLACE = 0b1010_1101_0101_10 << 3  # siblings on both sides on the way up
PART = 123_456_789_012_345_678  # wei of a real leaf, and of each made-up subtree but the last
FUNDED = 12_345_678_901_234_567_891  # wei of each epoch


class Deep:
    """A tree of that total whose leaves PLACE..PLACE+7 are real."""

    def __init__(self, leaves: Sequence[SumLeaf], total: int) -> None:
        small = SumTree(leaves, keccak)
        sums = [PART] * (DEPTH - 4)
        above = [(keccak(bytes([level])), amount) for level, amount in enumerate(sums)]
        above.append((keccak(b"rest"), total - sum(sums) - small.root.total))
        self.proofs = [
            SumProof(PLACE + place, COUNT, (*small.prove(place).path, *above)) for place in range(len(leaves))
        ]
        climbed = climb(leaves[0], self.proofs[0], keccak)
        assert climbed is not None and climbed[1] == total
        self.root = record_digest(climbed[0], COUNT, total, keccak)


class DeepRows(Deep):
    """The same over rows, two words and an amount each."""

    def __init__(self, tree: Tree, rows: Sequence[Row], total: int) -> None:
        super().__init__([row_leaf(tree, row, keccak) for row in rows], total)
        self.leaves = [Leaf(row, proof) for row, proof in zip(rows, self.proofs, strict=True)]


def account(number: int) -> int:
    """An account without a zero byte."""
    return (0x11 + number) << 152 | int.from_bytes(b"\xa5" * 19, "big")


def rows_of(*numbers: int, minor: int = 0) -> list[Row]:
    return [Row(account(number), minor, PART) for number in numbers]


class DeepEpoch:
    """One node's epoch with everything wrong in it, after one that only has a root."""

    def __init__(self, ledger: Ledger) -> None:
        self.world: World = ledger.world
        self.ledger = ledger
        self.node = self.world.plain("node")
        self.channel: OpenChannel = open_channel(self.world, 10**20, salt=keccak(b"deep"))
        self._make_receipts()
        self._make_lines()
        word = address_word(self.node)
        entries = rows_of(1, 2, 3, 5, 6, 6, 8, 9, minor=word)
        entries[5] = replace(entries[5], minor=word + 1)
        self.entries = DeepRows(Tree.ENTRIES, entries, FUNDED)
        self.old = DeepRows(Tree.CUMULATIVE, rows_of(1, 2, 3, 5, 6, 8, 9, 10), FUNDED)
        now = rows_of(1, 2, 3, 5, 7, 8, 9, 10)
        # Account 6 is left out, and 7 has so much that up to 6 too little is left.
        now[4] = replace(now[4], amount=19 * PART)
        self.now = DeepRows(Tree.CUMULATIVE, now, 2 * FUNDED)
        self._play()

    def _make_receipts(self) -> None:
        """Receipts 2 and 3 are out of order, 4 and 5 for one request, 6 unpaid, 7 another node's."""
        receipts = [self._receipt(place) for place in range(8)]
        receipts[3] = replace(receipts[3], seq=receipts[2].seq)
        receipts[5] = replace(receipts[5], request_id=receipts[4].request_id)
        receipts[6] = replace(receipts[6], channel_id=keccak(b"nobody's"))
        receipts[7] = replace(receipts[7], node=self.world.plain("other_node"))
        leaves = [receipt_row_leaf(one, one.price, keccak) for one in receipts]
        self.receipts = Deep(leaves, FUNDED)
        self.stated = [
            StatedReceipt(one, one.price, proof)
            for one, proof in zip(receipts, self.receipts.proofs, strict=True)
        ]
        # What the payer acknowledges differs from the first receipt.
        self.acknowledged = [SumLeaf(keccak(b"another receipt"), leaves[0].amount), *leaves[1:]]
        self.signed = Deep(self.acknowledged, 2 * FUNDED)
        self.voucher = Voucher(self.channel.id, 2 * FUNDED, COUNT, self.signed.root, FOREVER)

    def _receipt(self, place: int) -> Receipt:
        return replace(
            receipt_of(self.world, "node", PART, seq=PLACE + place + 1),
            channel_id=self.channel.id,
            request_id=keccak(bytes([place])),
            cumulative=PART * 1_000,
        )

    def _make_lines(self) -> None:
        """Account 2 gets too much of the first request, the stakers nothing; one line is of nothing."""
        request = int.from_bytes(self.stated[0].receipt.request_id, "big")
        stakers = address_word(stakers_account(self.node, keccak))
        rows = [
            *rows_of(1, 2, 4, 4, 4, 7, minor=request),
            *(Row(stakers + step, 0, PART) for step in (-1, 1)),
        ]
        rows.sort(key=lambda row: row.major)
        fours = [place for place, row in enumerate(rows) if row.major == account(4)]
        rows[fours[1]] = replace(rows[fours[1]], minor=1)
        rows[fours[2]] = replace(rows[fours[2]], minor=2, amount=0)
        two = next(place for place, row in enumerate(rows) if row.major == account(2))
        rows[two] = replace(rows[two], amount=2 * PART)
        self.lines = DeepRows(Tree.LINES, rows, FUNDED)

    def _play(self) -> None:
        settlement = self.world.settlement.functions
        for number in range(2):
            voucher = self.channel.voucher(FUNDED) if number == 0 else self.voucher
            mined = self.channel.claim_signed(voucher, self.channel.sign(voucher))
            self.epoch = self.world.events(mined, self.world.channels, "VoucherClaimed")[0]["epoch"]
            self.world.pass_to(self.ledger.end_of(self.epoch))
            # The count of lines is one too low.
            stated = self.epoch, self.lines.root, COUNT - 1, FUNDED, self.receipts.root, CID
            self.world.send(settlement.publishStatement(*stated), "node")
            cumulative = self.now.root if number else self.old.root
            previous = self.old.root if number else bytes(32)
            roots = previous, self.entries.root, cumulative
            self.world.send(settlement.commit((self.epoch, *roots, (number + 1) * FUNDED, CID)), "node")

    def faults(self) -> list[Fault]:
        """The dearest evidence of each kind."""
        lines = {row.major: leaf for leaf in self.lines.leaves for row in [leaf.row]}
        fours = [leaf for leaf in self.lines.leaves if leaf.row.major == account(4)]
        after_fours = self.lines.leaves[self.lines.leaves.index(fours[-1]) + 1]
        stakers = address_word(stakers_account(self.node, keccak))
        around = Pair(lines[stakers - 1], lines[stakers + 1])
        entries, old, now, stated = self.entries.leaves, self.old.leaves, self.now.leaves, self.stated
        paying = (lines[account(2)],)
        return [
            TotalFault(Tree.LINES, self.node, fours[0]),
            OrderFault(Tree.LINES, self.node, fours[0], fours[1]),
            LeafFault(Tree.LINES, self.node, fours[2]),
            EntryLow(account(4), self.node, Pair(entries[2], entries[3]), fours[0], NO_LEAF),
            EntryHigh(entries[3], fours[2], after_fours),
            CumulativeLow(account(6), now[4], old[4], entries[5]),
            CumulativeHigh(account(7), now[4], old[5], entries[6]),
            ReceiptFault(self.node, stated[7]),
            ReceiptOrder(self.node, stated[2], stated[3]),
            ReceiptConflict(self.node, stated[4], stated[5]),
            Overpaid(self.node, stated[0], paying),
            Underpaid(self.node, stated[0], Role.STAKERS, around, paying),
            VoucherFault(self.node, stated[0], self.voucher, self.acknowledged[0], self.signed.proofs[0]),
            UnpaidReceipt(self.node, stated[6]),
        ]

    def gas(self) -> dict[str, int]:
        """Each proof by a prover who sealed it, from the same state."""
        found = {}
        for fault in self.faults():
            is_ledger = isinstance(fault, LedgerFault)
            name = "LedgerFaults" if is_ledger else "VoucherFaults"
            call = ledger_call if is_ledger else receipt_call
            function, arguments = call(fault, self.epoch)  # type: ignore[operator]
            judge = self.world.contract(name)
            proof = judge.functions[function](*checksummed(arguments))
            with rewound(self.world):
                data = proof._encode_transaction_data()
                digest = judge.functions.sealDigest(self.world.address("challenger"), data).call()
                self.world.send(judge.functions.seal(digest), "challenger")
                mined = self.world.send(proof, "challenger")
                (event,) = self.world.events(mined, judge, "FaultProven")
                assert event["beneficiary"] == self.world.address("challenger")
                found[f"{name}.{function} (depth {DEPTH})"] = mined.gas
        return found


def proof_gas(ledger: Ledger) -> dict[str, int]:
    """What every proof of LedgerFaults and VoucherFaults costs at depth 17."""
    return DeepEpoch(ledger).gas()
