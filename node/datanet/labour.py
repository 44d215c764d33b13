"""LabourLedger as typed calls: who did what beside rows, and how a version's labour share is divided."""

from __future__ import annotations

from node.chain.rpc import Chain
from node.chain.transactor import Transactor
from protocol.eip712 import labour_domain
from protocol.labour import LabourKind, LabourRecord, labour_lines
from protocol.manifest import Labour
from protocol.types import parse_address


class LabourContracts:
    """Reads from any node; what writes is sent by `transactor`'s account. Reverts come as ChainReverted."""

    def __init__(self, chain: Chain, transactor: Transactor) -> None:
        self._chain = chain
        self._transactor = transactor
        self._ledger = chain.contract("LabourLedger")
        self.domain = labour_domain(chain.chain_id, parse_address(self._ledger.address))

    def accept(self, record: LabourRecord, signature: bytes) -> int:
        """Accept what its account signed; staked curators only. Return the record's id."""
        labour = self._encode(record)
        digest = bytes(self._chain.call(self._ledger.functions.labourDigest(labour)))
        self._transactor.send(self._ledger.functions.accept(labour, signature))
        return int(self._chain.call(self._ledger.functions.labourOf(digest)))

    def review_of(self, datanet: int, curator: str) -> int:
        """The record of a curator's reviews, made now if it is the first time that it is paid."""
        account = self._chain.web3.to_checksum_address(curator)
        known = int(self._chain.call(self._ledger.functions.reviewId(datanet, account)))
        if known:
            return known
        self._transactor.send(self._ledger.functions.recordReview(datanet, account))
        return int(self._chain.call(self._ledger.functions.reviewId(datanet, account)))

    def lines(self, datanet: int, version: int) -> tuple[Labour, ...]:
        """What a published version's labour shares come to by account."""
        ids, ppm = self._chain.call(self._ledger.functions.sharesOf(datanet, version))
        return self.lines_of(list(zip(ids, ppm, strict=True)))

    def lines_of(self, shares: list[tuple[int, int]]) -> tuple[Labour, ...]:
        """What shares by record id come to by account, parents included; empty for none."""
        if not shares:
            return ()
        records: dict[int, LabourRecord] = {}
        wanted = [number for number, _ in shares]
        while wanted:
            number = wanted.pop()
            if number not in records:
                records[number] = self.record(number)
                wanted += [parent for parent, _ in records[number].parents]
        return labour_lines(shares, records)

    def record(self, number: int) -> LabourRecord:
        """One accepted record; a record on chain has no deadline any more."""
        found = self._chain.call(self._ledger.functions.getLabour(number))
        datanet, account, _, kind, _, work_cid, parents, ppm = found
        lineage = tuple(zip(parents, ppm, strict=True))
        return LabourRecord(datanet, parse_address(account), LabourKind(kind), bytes(work_cid), lineage, 0)

    def _encode(self, record: LabourRecord) -> tuple[object, ...]:
        return (
            record.datanet,
            self._chain.web3.to_checksum_address(record.account),
            int(record.kind),
            record.work_cid,
            [parent for parent, _ in record.parents],
            [ppm for _, ppm in record.parents],
            record.deadline,
        )
