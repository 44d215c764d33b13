"""Publishing versions of a Datanet, and reading those that others published."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import structlog

from node.blobs.sealed import CannotOpen
from node.blobs.store import BlobStore
from node.chain.keccak import keccak
from node.datanet.contracts import DatanetContracts
from node.datanet.curation import CodeSystem, Verdict
from node.datanet.gated import RowVault
from node.datanet.manifests import StandingRow, build_manifest, check_manifest, review_shares
from node.errors import Conflict, InvalidInput, NotFound
from node.store.datanet import DatanetTable, StoredVersion
from protocol.cid import Cid, parse_cid
from protocol.manifest import (
    GRANTED,
    MAX_MANIFEST_BYTES,
    REVOKED,
    Manifest,
    encode_manifest,
    manifest_root,
    rows_root,
)
from protocol.tokens import row_chunks_root
from protocol.types import Address

log = structlog.get_logger(component="datanet")


@dataclass(frozen=True)
class PublishedVersion:
    """A version on chain, with its manifest."""

    manifest: Manifest
    cid: Cid
    root: bytes


class Versions:
    """Stage 1, second half: from decided contributions to versions on chain."""

    def __init__(
        self,
        table: DatanetTable,
        blobs: BlobStore,
        vault: RowVault,
        contracts: DatanetContracts,
        code_systems: Mapping[str, CodeSystem],
    ) -> None:
        self._table = table
        self._blobs = blobs
        self._vault = vault
        self._contracts = contracts
        self._code_systems = code_systems

    def publish(self, datanet: int, labour: Sequence[tuple[int, int]] | None = None) -> PublishedVersion:
        """Publish every row that stands now as the next version, growing from the latest one.

        `labour` are shares (record id, ppm) of what the version pays for labour; it defaults to the curators'
        reviews, by the number of rows each decided. Raises Conflict when the number was taken by someone else
        meanwhile: publish again then, for the manifest names its version.
        """
        terms = self._contracts.datanet(datanet)
        shares = sorted(self._reviews(datanet) if labour is None else labour)
        manifest = build_manifest(
            datanet,
            terms.versions + 1,
            terms.versions,
            self._standing(datanet),
            self._contracts.labour.lines_of(shares),
            self._code_systems.get(terms.kind),
        )
        if not manifest.rows:
            raise InvalidInput("no row of this Datanet stands", datanet=datanet)
        cid = self._blobs.put(encode_manifest(manifest), f"manifest {datanet} version {manifest.version}")
        root = manifest_root(manifest, keccak)
        roots = root, rows_root(manifest, keccak)
        number = self._contracts.publish(datanet, manifest.parent, roots, len(manifest.rows), cid, shares)
        if number != manifest.version:
            raise Conflict("version number was taken meanwhile", expected=manifest.version, actual=number)
        self._remember(manifest, cid, root)
        log.info("version_published", datanet=datanet, version=number, rows=len(manifest.rows))
        return PublishedVersion(manifest, cid, root)

    def load(self, datanet: int, version: int) -> PublishedVersion:
        """A version as published, from here or (the first time) from the chain and its manifest file.

        Raises NotFound where the file is not here, IntegrityError where it is not what the chain says.
        """
        on_chain = self._contracts.version(datanet, version)
        data = self._blobs.get(on_chain.manifest, MAX_MANIFEST_BYTES)
        manifest = check_manifest(data, on_chain, self._contracts.labour.lines(datanet, version))
        self._remember(manifest, on_chain.manifest, on_chain.content_root)
        return PublishedVersion(manifest, on_chain.manifest, on_chain.content_root)

    def register_chunks(
        self, datanet: int, version: int, tokenizer: bytes, rows: Sequence[Sequence[int]]
    ) -> bytes:
        """Register the version's token chunks for one tokenizer; return their root.

        `rows` are the token ids of each row in index order, as the worker tokenized them. Doing it
        again changes nothing; raises Conflict where other chunks are registered already.
        """
        published = self._table.version(datanet, version)
        if len(rows) != published.row_count:
            raise InvalidInput(
                "token ids for another number of rows", rows=published.row_count, given=len(rows)
            )
        root, count = row_chunks_root(rows, keccak)
        registered, _ = self._contracts.chunks(datanet, version, tokenizer)
        if registered not in (bytes(32), root):
            raise Conflict("other token chunks are registered", registered=registered.hex(), ours=root.hex())
        if registered != root:
            self._contracts.register_chunks(datanet, version, tokenizer, root, count)
        return root

    def withdraw(self, datanet: int, digest: bytes) -> int:
        """Leave a row and its copies out of versions to come, as its contributor asked; return how many rows.

        What contributors revoke on chain needs no asking: the mirror takes it over.
        """
        return self._table.set_consent(datanet, digest, REVOKED)

    def _standing(self, datanet: int) -> list[StandingRow]:
        standing = []
        for row in self._table.rows(datanet):
            if row.verdict in (None, Verdict.REJECTED):
                continue
            try:
                text, _ = self._vault.read(datanet, row.digest, parse_cid(row.cid), row.gated)
            except (CannotOpen, NotFound):
                # An erased row cannot be compared; it may be missing only where consent was withdrawn.
                if row.consent == GRANTED:
                    raise
                continue
            standing.append(StandingRow(row, text))
        return standing

    def _reviews(self, datanet: int) -> list[tuple[int, int]]:
        decided: Counter[Address] = Counter()
        for contribution in self._table.contributions(datanet):
            if contribution.curator is not None:
                decided[Address(contribution.curator)] += len(self._table.rows_of(contribution.id))
        shares = review_shares(decided)
        return [(self._contracts.labour.review_of(datanet, account), ppm) for account, ppm in shares.items()]

    def _remember(self, manifest: Manifest, cid: Cid, root: bytes) -> None:
        self._table.put_version(
            StoredVersion(
                manifest.datanet, manifest.version, manifest.parent, cid.text, root, len(manifest.rows)
            )
        )
