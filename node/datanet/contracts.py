"""The two contracts of this stage, DatanetRegistry and ContributionLedger, as typed calls."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from web3.contract.contract import ContractFunction
from web3.logs import DISCARD

from node.chain.rpc import Chain
from node.chain.transactor import Transactor
from node.errors import IntegrityError
from protocol.cid import Cid, cid_from_binary
from protocol.types import Address, parse_address

DECIDED = 2


@dataclass(frozen=True)
class DatanetTerms:
    """A Datanet as registered. `kind` names its rules, e.g. "icd-10-cm"; `versions` is how many there are."""

    id: int
    owner: Address
    name: str
    kind: str
    gated: bool
    licence: str
    metadata: Cid
    versions: int


@dataclass(frozen=True)
class ChainContribution:
    """A contribution as the ledger has it; `curator` and `reasons` are None until it is decided."""

    id: int
    datanet: int
    contributor: Address
    row_count: int
    batch_root: bytes
    batch: Cid
    curator: Address | None
    reasons: Cid | None


@dataclass(frozen=True)
class ChainVersion:
    """A published version as the registry has it."""

    datanet: int
    version: int
    parent: int
    row_count: int
    content_root: bytes
    manifest: Cid
    curator: Address


class DatanetContracts:
    """Reads from any node; what writes is sent by `transactor`'s account. Reverts come as ChainReverted."""

    def __init__(self, chain: Chain, transactor: Transactor) -> None:
        self._chain = chain
        self._transactor = transactor
        self._registry = chain.contract("DatanetRegistry")
        self._ledger = chain.contract("ContributionLedger")

    @property
    def account(self) -> Address:
        """Whose transactions these are."""
        return self._transactor.address

    def create(self, name: str, kind: str, gated: bool, licence: str, metadata: Cid) -> int:
        """Register a Datanet owned and curated by our account; return its id."""
        call = self._registry.functions.createDatanet(name, _word(kind), gated, licence, metadata.binary)
        return int(self._event(call, self._registry.events.DatanetCreated())["id"])

    def datanet(self, datanet: int) -> DatanetTerms:
        """A Datanet's terms."""
        found = self._chain.call(self._registry.functions.getDatanet(datanet))
        owner, _, versions, gated, kind, name, licence, metadata = found
        text = bytes(kind).rstrip(b"\0").decode("ascii", "replace")
        cid = cid_from_binary(bytes(metadata))
        return DatanetTerms(datanet, parse_address(owner), name, text, gated, licence, cid, versions)

    def datanet_count(self) -> int:
        return int(self._chain.call(self._registry.functions.datanetCount()))

    def submit(self, datanet: int, root: bytes, row_count: int, batch: Cid) -> int:
        """Offer a batch; return the contribution's id."""
        call = self._ledger.functions.submit(datanet, root, row_count, batch.binary)
        return int(self._event(call, self._ledger.events.ContributionSubmitted())["id"])

    def decide(self, contribution: int, accepted: int, rejected: int, reasons: Cid) -> None:
        """Decide a contribution, once; curators only."""
        self._transactor.send(self._ledger.functions.decide(contribution, accepted, rejected, reasons.binary))

    def contribution_count(self) -> int:
        return int(self._chain.call(self._ledger.functions.contributionCount()))

    def contribution(self, contribution: int) -> ChainContribution:
        """One contribution."""
        found = self._chain.call(self._ledger.functions.getContribution(contribution))
        datanet, contributor, _, status, curator, _, row_count, _, _, root, batch, reasons = found
        decided = status == DECIDED
        return ChainContribution(
            contribution,
            datanet,
            parse_address(contributor),
            row_count,
            bytes(root),
            cid_from_binary(bytes(batch)),
            parse_address(curator) if decided else None,
            cid_from_binary(bytes(reasons)) if decided and reasons else None,
        )

    def publish(self, datanet: int, parent: int, root: bytes, row_count: int, manifest: Cid) -> int:
        """Publish the next version; curators only. Return the number it got."""
        call = self._registry.functions.publishVersion(datanet, parent, root, row_count, manifest.binary)
        return int(self._event(call, self._registry.events.VersionPublished())["version"])

    def version(self, datanet: int, version: int) -> ChainVersion:
        """One published version."""
        found = self._chain.call(self._registry.functions.getVersion(datanet, version))
        curator, _, parent, row_count, root, manifest = found
        cid = cid_from_binary(bytes(manifest))
        return ChainVersion(datanet, version, parent, row_count, bytes(root), cid, parse_address(curator))

    def register_chunks(self, datanet: int, version: int, tokenizer: bytes, root: bytes, count: int) -> None:
        """Register a version's token chunks for one tokenizer, once; curators only."""
        self._transactor.send(
            self._registry.functions.registerTokenChunks(datanet, version, tokenizer, root, count)
        )

    def chunks(self, datanet: int, version: int, tokenizer: bytes) -> tuple[bytes, int]:
        """(root, count) of a version's token chunks for one tokenizer; zeros where none are registered."""
        root, count = self._chain.call(self._registry.functions.tokenChunks(datanet, version, tokenizer))
        return bytes(root), int(count)

    def _event(self, call: ContractFunction, event: Any) -> Any:
        receipt = self._transactor.send(call)
        entries = event.process_receipt(receipt, errors=DISCARD)
        if len(entries) != 1:
            raise IntegrityError("transaction logged another number of events", event=event.event_name)
        return entries[0]["args"]


def _word(text: str) -> bytes:
    encoded = text.encode("ascii")
    if not 0 < len(encoded) <= 32:
        raise ValueError(f"a kind is 1 to 32 ASCII characters, not {text!r}")
    return encoded.ljust(32, b"\0")
