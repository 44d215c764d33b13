"""The node's own statement of each epoch that is over: built from its claims, published once.

Whether an epoch still needs a statement is read from the contract each time, so that a node killed at any
point, or two runs of this code, publish one statement and not two.
"""

from __future__ import annotations

from collections.abc import Callable

from node.chain.rpc import Chain
from node.chain.transactor import Transactor
from node.errors import IntegrityError
from node.failpoints import failpoint
from node.log import get_logger
from node.receipts.issuer import stored_receipt
from node.receipts.log import stored_report, stored_terms
from node.settlement.records import Records
from node.settlement.statements import (
    Payable,
    build_statement,
    epoch_of_claim,
    paid_ranges,
    was_voided_before,
)
from node.store.epochs import EpochStore, StoredLine
from node.store.receipts import ReceiptStore, StoredReceipt
from protocol.epoch import Statement, statement_root
from protocol.epoch_json import encode_statement
from protocol.hashing import Keccak
from protocol.parameters import Parameters
from protocol.receipt import receipts_sum_root
from protocol.types import Address

log = get_logger("publisher")


class Publisher:
    """Publishes one node's statements."""

    def __init__(
        self,
        chain: Chain,
        transactor: Transactor,
        epochs: EpochStore,
        receipts: ReceiptStore,
        records: Records,
        parameters_at: Callable[[int], Parameters],
        node: Address,
        keccak: Keccak,
    ) -> None:
        self._chain = chain
        self._settlement = chain.contract("EpochSettlement")
        self._transactor = transactor
        self._epochs = epochs
        self._receipts = receipts
        self._records = records
        self._parameters_at = parameters_at
        self._node = node
        self._checksummed = chain.web3.to_checksum_address(node)
        self._keccak = keccak

    def publish_due(self, current_epoch: int) -> int:
        """State every epoch that is over and has unstated money, oldest first; return how many were
        stated.
        """
        return sum(self._settle(epoch) for epoch in self._open_epochs() if epoch < current_epoch)

    def has_unstated(self) -> bool:
        """Whether some epoch's money waits for this node's statement."""
        return any(self._funded(epoch) and not self._is_standing(epoch) for epoch in self._open_epochs())

    def _open_epochs(self) -> list[int]:
        """Epochs with claims of ours and no standing statement; the chain has the last word on each."""
        rollovers = self._epochs.rollovers()
        funded = sorted({epoch_of_claim(claim, rollovers) for claim in self._epochs.claims()})
        return [epoch for epoch in funded if not self._is_mirrored(epoch)]

    def _is_mirrored(self, epoch: int) -> bool:
        return any(stored.node == self._node for stored in self._epochs.statements(epoch))

    def _funded(self, epoch: int) -> int:
        return int(self._settlement.functions.funded(epoch, self._checksummed).call())

    def _settle(self, epoch: int) -> bool:
        functions = self._settlement.functions
        funded = self._funded(epoch)
        if funded == 0 or self._is_standing(epoch):
            return False
        if self._is_voided(epoch) or functions.isClosed(epoch).call():
            # Others went on without us: the money is moved to the running epoch and stated there.
            self._transactor.send(functions.rollover(epoch))
            log.warning("epoch_rolled_over", epoch=epoch, amount=funded)
            return False
        self._publish(self.build(epoch), funded)
        return True

    def _is_voided(self, epoch: int) -> bool:
        """Whether our statement was proven false. The same money is stated once more and no third time, since
        each void statement costs stake: then a person must look.
        """
        if not _field(self._statement(epoch), "voided", 5):
            return False
        if was_voided_before(epoch, self._epochs.rollovers(), self._epochs.voided_epochs(self._node)):
            raise IntegrityError("statements of the same money were voided twice", epoch=epoch)
        log.error("statement_voided", epoch=epoch)
        return True

    def build(self, epoch: int) -> Statement:
        """The statement that this node's claims of an epoch make."""
        ranges = paid_ranges(self._epochs.claims(), self._epochs.rollovers(), epoch)
        payables = {
            channel_id: [self._payable(stored) for stored in self._receipts.of_channel(channel_id)]
            for channel_id in ranges
        }
        return build_statement(self._node, epoch, ranges, payables)

    def _publish(self, statement: Statement, funded: int) -> None:
        root = statement_root(statement, self._keccak)
        if root.total != funded:
            # The mirror is behind the chain, or a claim is missing: never state less or more than is there.
            raise IntegrityError(
                "the claims known do not make what was funded",
                epoch=statement.epoch,
                stated=root.total,
                funded=funded,
            )
        cid = self._records.put(encode_statement(statement), f"statement {statement.epoch} {statement.node}")
        self._epochs.put_lines(statement.epoch, statement.node, stored_lines(statement))
        receipts_root = receipts_sum_root(statement.receipts, self._keccak).digest
        self._transactor.send(
            self._settlement.functions.publishStatement(
                statement.epoch, root.digest, root.count, root.total, receipts_root, cid.binary
            )
        )
        failpoint("statement.published")
        log.info("statement_published", epoch=statement.epoch, total=root.total, lines=root.count)

    def _is_standing(self, epoch: int) -> bool:
        record = self._statement(epoch)
        return bool(_field(record, "publishedAt", 4)) and not _field(record, "voided", 5)

    def _statement(self, epoch: int) -> object:
        return self._settlement.functions.getStatement(epoch, self._checksummed).call()

    def _payable(self, stored: StoredReceipt) -> Payable:
        receipt = stored_receipt(stored)
        return Payable(
            receipt,
            stored_report(stored),
            stored_terms(stored),
            self._parameters_at(receipt.parameters_version),
        )


def stored_lines(statement: Statement) -> list[StoredLine]:
    """A statement's lines as rows."""
    return [
        StoredLine(statement.epoch, statement.node, line.earner, line.request_id, line.amount)
        for line in statement.lines
    ]


def _field(record: object, name: str, place: int) -> object:
    # web3 gives a struct as a mapping or as a tuple, depending on how it was configured.
    return record[name] if isinstance(record, dict) else record[place]  # type: ignore[index]
