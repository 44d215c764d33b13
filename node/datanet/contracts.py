"""DatanetRegistry and ContributionLedger as typed calls; LabourLedger is in `node.datanet.labour`."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from web3.contract.contract import ContractFunction
from web3.logs import DISCARD

from node.chain.keccak import keccak
from node.chain.rpc import Chain
from node.chain.transactor import Transactor
from node.datanet.labour import LabourContracts
from node.datanet.records import ChainContribution, ChainVersion, ContributionStatus, DatanetTerms
from node.errors import IntegrityError
from protocol.cid import Cid, cid_from_binary
from protocol.merkle import Proof
from protocol.types import Address, parse_address

CONTRIBUTION_BOND = keccak(b"contributionBond")


class DatanetContracts:
    """Reads from any node; what writes is sent by `transactor`'s account. Reverts come as ChainReverted."""

    def __init__(self, chain: Chain, transactor: Transactor) -> None:
        self._chain = chain
        self._transactor = transactor
        self._registry = chain.contract("DatanetRegistry")
        self._ledger = chain.contract("ContributionLedger")
        self._token = chain.contract("OpenToken")
        self._parameters = chain.contract("ProtocolParameters")
        self.labour = LabourContracts(chain, transactor)

    @property
    def account(self) -> Address:
        """Whose transactions these are."""
        return self._transactor.address

    def now(self) -> int:
        """The head's time in unix seconds."""
        return self._chain.head().timestamp

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

    def set_curator(self, datanet: int, account: Address, allowed: bool) -> None:
        """Let an account curate, or stop it; the owner only."""
        curator = self._chain.web3.to_checksum_address(account)
        self._transactor.send(self._registry.functions.setCurator(datanet, curator, allowed))

    def datanet_count(self) -> int:
        return int(self._chain.call(self._registry.functions.datanetCount()))

    def submit(self, datanet: int, root: bytes, row_count: int, batch: Cid, gated: bool = False) -> int:
        """Offer a batch under the bond in force, which our account must hold; return its id."""
        self._allow_bond()
        call = self._ledger.functions.submit(datanet, root, row_count, batch.binary, gated)
        return int(self._event(call, self._ledger.events.ContributionSubmitted())["id"])

    def decide(self, contribution: int, accepted: int, rejected: int, reasons: Cid) -> None:
        """Decide a contribution, once; curators only."""
        self._transactor.send(self._ledger.functions.decide(contribution, accepted, rejected, reasons.binary))

    def decide_spam(self, contribution: int, reasons: Cid) -> None:
        """Reject a whole contribution and its bond; curators only."""
        self._transactor.send(self._ledger.functions.decideSpam(contribution, reasons.binary))

    def appeal(self, contribution: int, reasons: Cid) -> None:
        """Appeal against a decision on our contribution, under a second bond."""
        self._allow_bond()
        self._transactor.send(self._ledger.functions.appeal(contribution, reasons.binary))

    def overturn(self, contribution: int, accepted: int, rejected: int, reasons: Cid) -> None:
        """Put another decision in the place of one under appeal; another curator, or the Datanet's owner."""
        call = self._ledger.functions.overturn(contribution, accepted, rejected, reasons.binary)
        self._transactor.send(call)

    def uphold(self, contribution: int, reasons: Cid) -> None:
        """Let a decision under appeal stand; another curator, or the Datanet's owner."""
        self._transactor.send(self._ledger.functions.uphold(contribution, reasons.binary))

    def settle(self, contribution: int) -> None:
        """Close a decided contribution whose deadline has passed; its bond goes back, or burns with spam."""
        self._transactor.send(self._ledger.functions.settle(contribution))

    def revoke(self, contribution: int, digest: bytes, proof: Proof) -> None:
        """Withdraw the consent to a row of our own contribution."""
        row = (contribution, (proof.index, proof.count, list(proof.path)))
        self._transactor.send(self._ledger.functions.revoke(digest, row))

    def grant(self, datanet: int, digest: bytes) -> None:
        """Consent again, from now on, to a row that we revoked."""
        self._transactor.send(self._ledger.functions.grant(datanet, digest))

    def is_revoked(self, datanet: int, digest: bytes) -> bool:
        """Whether the consent to a row is withdrawn now."""
        return bool(self._chain.call(self._ledger.functions.revokedAt(datanet, digest)))

    def consents(self) -> dict[tuple[int, bytes], bool]:
        """Whether consent stands, by (Datanet, digest), for every row whose consent ever changed on chain."""
        first = self._chain.deployment.block
        revoked = self._ledger.events.ConsentRevoked().get_logs(from_block=first)
        changed = {(int(log["args"]["datanetId"]), bytes(log["args"]["digest"])) for log in revoked}
        return {row: not self.is_revoked(*row) for row in sorted(changed)}

    def overturned(self) -> frozenset[int]:
        """Every contribution whose first decision an appeal overturned."""
        ruled = self._ledger.events.AppealRuled().get_logs(from_block=self._chain.deployment.block)
        return frozenset(int(log["args"]["id"]) for log in ruled if log["args"]["overturned"])

    def contribution_count(self) -> int:
        return int(self._chain.call(self._ledger.functions.contributionCount()))

    def contribution(self, contribution: int) -> ChainContribution:
        """One contribution."""
        call = self._ledger.functions.getContribution(contribution)
        found = _named(call, self._chain.call(call))
        decided = found["decidedAt"] != 0
        return ChainContribution(
            contribution,
            found["datanetId"],
            parse_address(found["contributor"]),
            found["rowCount"],
            bytes(found["batchRoot"]),
            cid_from_binary(bytes(found["batchCid"])),
            parse_address(found["curator"]) if decided else None,
            cid_from_binary(bytes(found["reasonsCid"])) if decided and found["reasonsCid"] else None,
            ContributionStatus(found["status"]),
            found["gated"],
            found["deadline"],
        )

    def publish(
        self,
        datanet: int,
        parent: int,
        roots: tuple[bytes, bytes],
        row_count: int,
        manifest: Cid,
        labour: Sequence[tuple[int, int]] = (),
    ) -> int:
        """Publish the next version; curators only. Return the number it got.

        `roots` are the content root and the rows root, `labour` the shares (record id, ppm) in order of ids.
        """
        version = (datanet, parent, *roots, row_count, manifest.binary)
        call = self._registry.functions.publishVersion(*version)
        if labour:
            ids, ppm = [number for number, _ in labour], [part for _, part in labour]
            call = self._registry.functions.publishVersionWithLabour(*version, ids, ppm)
        return int(self._event(call, self._registry.events.VersionPublished())["version"])

    def version(self, datanet: int, version: int) -> ChainVersion:
        """One published version."""
        call = self._registry.functions.getVersion(datanet, version)
        found = _named(call, self._chain.call(call))
        return ChainVersion(
            datanet,
            version,
            found["parent"],
            found["rowCount"],
            bytes(found["contentRoot"]),
            bytes(found["rowsRoot"]),
            cid_from_binary(bytes(found["manifestCid"])),
            parse_address(found["curator"]),
        )

    def register_chunks(self, datanet: int, version: int, tokenizer: bytes, root: bytes, count: int) -> None:
        """Register a version's token chunks for one tokenizer, once; curators only."""
        self._transactor.send(
            self._registry.functions.registerTokenChunks(datanet, version, tokenizer, root, count)
        )

    def chunks(self, datanet: int, version: int, tokenizer: bytes) -> tuple[bytes, int]:
        """(root, count) of a version's token chunks for one tokenizer; zeros where none are registered."""
        root, count = self._chain.call(self._registry.functions.tokenChunks(datanet, version, tokenizer))
        return bytes(root), int(count)

    def _allow_bond(self) -> None:
        # An exact allowance and no more: the ledger can never take what was not offered.
        bond = int(self._chain.call(self._parameters.functions.value(CONTRIBUTION_BOND)))
        account = self._chain.web3.to_checksum_address(self.account)
        allowed = self._chain.call(self._token.functions.allowance(account, self._ledger.address))
        if allowed < bond:
            self._transactor.send(self._token.functions.approve(self._ledger.address, bond))

    def _event(self, call: ContractFunction, event: Any) -> Any:
        receipt = self._transactor.send(call)
        entries = event.process_receipt(receipt, errors=DISCARD)
        if len(entries) != 1:
            raise IntegrityError("transaction logged another number of events", event=event.event_name)
        return entries[0]["args"]


def _named(call: ContractFunction, found: Sequence[Any]) -> dict[str, Any]:
    """The one struct that a view returns, by the names of its fields."""
    (output,) = call.abi["outputs"]
    return dict(zip((part["name"] for part in output["components"]), found, strict=True))


def _word(text: str) -> bytes:
    encoded = text.encode("ascii")
    if not 0 < len(encoded) <= 32:
        raise ValueError(f"a kind is 1 to 32 ASCII characters, not {text!r}")
    return encoded.ljust(32, b"\0")
