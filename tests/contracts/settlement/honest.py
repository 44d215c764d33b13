"""An honest epoch on chain with every leaf of its trees at hand, to bring against it what proves nothing."""

from random import Random

from protocol.ledger_records import Leaf
from protocol.receipt_faults import StatedReceipt
from tests.contracts.epochs import Ledger
from tests.contracts.ledgers import Fault, Stage
from tests.contracts.world import World
from tests.protocol.forgeries import Forger


class Honest:
    """Seed 1 plays several lines, entries and receipts for each node."""

    def __init__(self, ledger: Ledger, seed: int = 1) -> None:
        self.stage = Stage(ledger, seed)
        self.stage.forge(self.stage.honest())
        self.forger = Forger(self.stage.played, self.stage.last, Random(seed))
        self.node = self.forger.node
        self.node_address = World.checksum(self.node)
        self.epoch = self.stage.epoch

    @property
    def world(self) -> World:
        return self.stage.world

    def leaf(self, tree: str, place: int) -> Leaf:
        return self.forger.leaf(tree, place)

    def count(self, tree: str) -> int:
        return len(self.forger.rows[tree][1])

    def stated(self, place: int) -> StatedReceipt:
        receipt, amount = self.forger.receipts[place]
        return StatedReceipt(receipt, amount, self.forger.stated_tree.prove(place))

    def bring(self, fault: Fault) -> None:
        self.world.call(self.stage.call(fault), "challenger")


def word(number: int) -> bytes:
    return number.to_bytes(32, "big")
