"""Contributions: rows checked, sealed where gated, stored as a batch, offered on chain, and mirrored here.

The chain is the record of who offered what and when; the mirror is rebuilt from it by `adopt`, which believes
a batch file only when root, row count and contributor are those on chain.
"""

from __future__ import annotations

from collections.abc import Sequence

import structlog

from node.blobs.store import BlobStore
from node.chain.keccak import keccak
from node.datanet.batch import MAX_BATCH_BYTES, Batch, BatchRow, batch_root, decode_batch, encode_batch
from node.datanet.contracts import DatanetContracts
from node.datanet.gated import RowVault, seal_row
from node.datanet.records import ChainContribution, ContributionStatus
from node.datanet.rows import check_licence, check_rows
from node.errors import Conflict, IntegrityError, NotFound
from node.store.datanet import DatanetTable, StoredContribution, StoredRow
from protocol.contribution import prove_batch_row
from protocol.errors import ProtocolError
from protocol.manifest import GRANTED, REVOKED, Row, content_digest, encode_row
from protocol.types import Address
from protocol.unixfs import build

log = structlog.get_logger(component="datanet")


class Contributions:
    """Stage 1, first half: from rows to contributions on chain."""

    def __init__(
        self, table: DatanetTable, blobs: BlobStore, vault: RowVault, contracts: DatanetContracts
    ) -> None:
        self._table = table
        self._blobs = blobs
        self._vault = vault
        self._contracts = contracts
        self._closed: set[int] = set()

    def submit(self, datanet: int, rows: Sequence[Row], licence: str, gated: bool = False) -> int:
        """Offer rows as our account; return the contribution's id on chain.

        Everything is stored here before the transaction is sent. Raises InvalidRow or LimitExceeded for rows
        that may not be offered, Conflict for a row that stands twice in the batch.
        """
        batch = self.prepare(datanet, self._contracts.account, rows, licence, gated)
        cid = self._blobs.put(encode_batch(batch), f"batch for datanet {datanet}")
        root = batch_root(batch, keccak)
        contribution = self._contracts.submit(datanet, root, len(batch.rows), cid, gated)
        self.adopt(contribution)
        log.info("contribution_submitted", contribution=contribution, datanet=datanet, rows=len(batch.rows))
        return contribution

    def prepare(
        self, datanet: int, contributor: Address, rows: Sequence[Row], licence: str, gated: bool
    ) -> Batch:
        """Check the rows, seal them where gated, and store their bytes; nothing is offered yet."""
        check_rows(rows)
        check_licence(licence)
        digests, contents = self._sealed(datanet, rows) if gated else _plain(rows)
        if len(set(digests)) != len(digests):
            raise Conflict("batch holds a row twice", rows=len(digests), distinct=len(set(digests)))
        self._blobs.put_all(contents, f"rows for datanet {datanet}")
        cids = [build(content).root for content in contents]
        entries = (BatchRow(*pair, gated, licence) for pair in zip(digests, cids, strict=True))
        return Batch(datanet, contributor, tuple(entries))

    def adopt(self, contribution: int) -> StoredContribution:
        """Mirror one contribution from the chain and its batch file.

        Raises NotFound where the file is not here, IntegrityError where it is not what the chain says.
        """
        on_chain = self._contracts.contribution(contribution)
        batch = self._load_batch(on_chain)
        stored = StoredContribution(
            contribution, on_chain.datanet, on_chain.contributor, on_chain.batch_root, on_chain.batch.text
        )
        self._table.put_contribution(stored, _stored_rows(contribution, batch))
        return self._table.contribution(contribution)

    def adopt_new(self) -> tuple[int, ...]:
        """Mirror every contribution that is new to us and whose batch is here; return their ids."""
        count = self._contracts.contribution_count()
        adopted = []
        for contribution in sorted(set(range(1, count + 1)) - self._table.known_contributions()):
            try:
                self.adopt(contribution)
                adopted.append(contribution)
            except (NotFound, IntegrityError) as error:
                # Someone else's batch may be absent or false; ours and the next ones must not wait for it.
                log.warning("contribution_not_adopted", contribution=contribution, reason=str(error))
        return tuple(adopted)

    def revoke(self, datanet: int, digest: bytes) -> int:
        """Withdraw, on chain, the consent to a row of ours; return through which contribution.

        Raises NotFound where none of our contributions to the Datanet holds it.
        """
        contribution, position = self._own_row(datanet, digest)
        digests = [row.digest for row in self._table.rows_of(contribution)]
        proof = prove_batch_row(self._contracts.account, digests, position, keccak)
        self._contracts.revoke(contribution, digest, proof)
        self._table.set_consent(datanet, digest, REVOKED)
        log.info("consent_revoked", contribution=contribution, digest=digest.hex())
        return contribution

    def settle_ripe(self) -> tuple[int, ...]:
        """Close our own decided contributions whose windows are over, for their bonds; return their ids."""
        settled = []
        for number in sorted(self._table.known_contributions() - self._closed):
            if self._table.contribution(number).contributor != self._contracts.account:
                self._closed.add(number)
                continue
            found = self._contracts.contribution(number)
            if found.status in (ContributionStatus.SETTLED, ContributionStatus.WITHDRAWN):
                self._closed.add(number)
            elif found.status is not ContributionStatus.SUBMITTED and self._contracts.now() >= found.deadline:
                self._contracts.settle(number)
                settled.append(number)
        return tuple(settled)

    def _own_row(self, datanet: int, digest: bytes) -> tuple[int, int]:
        for row in self._table.rows(datanet):
            if row.digest == digest and row.contributor == self._contracts.account:
                return row.contribution, row.position
        raise NotFound("no contribution of ours holds this row", datanet=datanet, digest=digest.hex())

    def _load_batch(self, on_chain: ChainContribution) -> Batch:
        data = self._blobs.get(on_chain.batch, MAX_BATCH_BYTES)
        try:
            batch = decode_batch(data)
        except ProtocolError as error:
            raise IntegrityError("not a batch", cid=on_chain.batch.text, reason=str(error)) from error
        in_file = (batch.datanet, batch.contributor, len(batch.rows), batch_root(batch, keccak).hex())
        as_said = (on_chain.datanet, on_chain.contributor, on_chain.row_count, on_chain.batch_root.hex())
        if in_file != as_said:
            raise IntegrityError("batch is not the one on chain", on_chain=as_said, in_file=in_file)
        return batch

    def _sealed(self, datanet: int, rows: Sequence[Row]) -> tuple[list[bytes], list[bytes]]:
        sealed = [seal_row(datanet, row) for row in rows]
        self._vault.keep(datanet, sealed)
        return [row.digest for row in sealed], [row.sealed for row in sealed]


def _plain(rows: Sequence[Row]) -> tuple[list[bytes], list[bytes]]:
    return [content_digest(row) for row in rows], [encode_row(row) for row in rows]


def _stored_rows(contribution: int, batch: Batch) -> list[StoredRow]:
    return [
        StoredRow(
            contribution,
            position,
            batch.contributor,
            row.digest,
            row.cid.text,
            row.gated,
            row.licence,
            GRANTED,
        )
        for position, row in enumerate(batch.rows)
    ]
