"""Signs each answer once: the digest is on disk before the signature exists, and no second digest can
follow it.

A receipt's place in its channel and its cumulative price are chosen in the transaction that records its
digest, so that two answers finished at once can never hold the same place, whatever process is killed when.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from node.chain.signer import Signer
from node.errors import IntegrityError
from node.failpoints import failpoint
from node.receipts.terms import terms_to_json
from node.store.database import Database
from node.store.jobs import JobStore
from node.store.receipts import ReceiptStore, StoredReceipt
from protocol.attribution import AttributionReport, attribution_root
from protocol.canonical import canonical_json, parse_json
from protocol.eip712 import Domain, domain_separator, typed_digest
from protocol.epoch_json import report_to_json
from protocol.hashing import Keccak
from protocol.parameters import Parameters
from protocol.receipt import Receipt, hash_receipt, receipt_from_json, receipt_to_json
from protocol.rewards import Terms, receipt_lines
from protocol.types import Address

MAX_BODY_BYTES = 1 << 16


@dataclass(frozen=True)
class Draft:
    """Everything a receipt says except its place in the channel and its time; `price` in wei."""

    request_id: bytes
    channel_id: bytes
    model_id: int
    datanet_version_key: int
    prompt_digest: bytes
    output_root: bytes
    profile_id: bytes
    prompt_tokens: int
    output_tokens: int
    price: int
    requested_at: int
    report: AttributionReport
    terms: Terms
    parameters: Parameters
    evidence: dict[str, object]


class Issuer:
    """Records and signs receipts of one node under one domain."""

    def __init__(
        self,
        database: Database,
        domain: Domain,
        signer: Signer,
        node: str,
        keccak: Keccak,
        clock: Callable[[], int],
    ) -> None:
        self._db = database
        self._receipts = ReceiptStore(database)
        self._jobs = JobStore(database)
        self._domain = domain
        self._signer = signer
        self._node = Address(node)
        self._keccak = keccak
        self._clock = clock

    def record(self, draft: Draft) -> StoredReceipt:
        """Give the answer its place and make its digest durable; a request that has a receipt keeps it."""
        with self._db.transaction():
            existing = self._receipts.find(draft.request_id)
            if existing is not None:
                return existing
            receipt = self._place(draft)
            stored = self._stored(receipt, draft)
            self._receipts.insert(stored, self._accruals(receipt, draft))
            failpoint("receipt.in_transaction")
            self._jobs.mark_receipted(draft.request_id)
        failpoint("receipt.digest_committed")
        return stored

    def sign(self, request_id: bytes) -> StoredReceipt:
        """Sign the recorded digest and keep the signature; a signed receipt is returned as it is."""
        stored = self._receipts.get(request_id)
        if stored.signature is not None:
            return stored
        self._check_recorded(stored)
        signature = self._signer.sign_digest(stored.digest)
        failpoint("receipt.signed")
        self._receipts.store_signature(request_id, stored.digest, signature)
        failpoint("receipt.stored")
        return self._receipts.get(request_id)

    def find(self, request_id: bytes) -> StoredReceipt | None:
        """The request's receipt, if its digest is recorded."""
        return self._receipts.find(request_id)

    def unsigned(self) -> tuple[bytes, ...]:
        """Requests whose digest is recorded and whose signature is not."""
        return tuple(stored.request_id for stored in self._receipts.unsigned())

    def _place(self, draft: Draft) -> Receipt:
        seq, cumulative = self._receipts.last_of_channel(draft.channel_id)
        return Receipt(
            request_id=draft.request_id,
            channel_id=draft.channel_id,
            seq=seq + 1,
            model_id=draft.model_id,
            datanet_version_key=draft.datanet_version_key,
            prompt_digest=draft.prompt_digest,
            output_root=draft.output_root,
            attribution_root=attribution_root(draft.report, self._keccak),
            method_id=draft.report.method_id,
            profile_id=draft.profile_id,
            parameters_version=draft.parameters.version,
            prompt_tokens=draft.prompt_tokens,
            output_tokens=draft.output_tokens,
            price=draft.price,
            cumulative=cumulative + draft.price,
            node=self._node,
            requested_at=draft.requested_at,
            issued_at=max(draft.requested_at, self._clock()),
        )

    def _stored(self, receipt: Receipt, draft: Draft) -> StoredReceipt:
        struct_digest = hash_receipt(receipt, self._keccak)
        return StoredReceipt(
            request_id=receipt.request_id,
            signer=self._signer.address,
            domain=domain_separator(self._domain, self._keccak),
            digest=typed_digest(self._domain, struct_digest, self._keccak),
            struct_hash=struct_digest,
            channel_id=receipt.channel_id,
            seq=receipt.seq,
            model_id=receipt.model_id,
            price=receipt.price,
            cumulative=receipt.cumulative,
            issued_at=receipt.issued_at,
            body=_json(receipt_to_json(receipt)),
            terms=_json(terms_to_json(draft.terms)),
            report=_json(report_to_json(draft.report)),
            evidence=_json(draft.evidence),
        )

    def _accruals(self, receipt: Receipt, draft: Draft) -> dict[str, int]:
        lines = receipt_lines(receipt, receipt.price, draft.report, draft.terms, draft.parameters)
        return {line.earner: line.amount for line in lines}

    def _check_recorded(self, stored: StoredReceipt) -> None:
        """A digest is signed only if it is that of the stored receipt, under this node's own key and
        domain.
        """
        receipt = stored_receipt(stored)
        digest = typed_digest(self._domain, hash_receipt(receipt, self._keccak), self._keccak)
        if digest != stored.digest or stored.signer != self._signer.address:
            raise IntegrityError(
                "the recorded digest is not this node's to sign",
                recorded="0x" + stored.digest.hex(),
                recomputed="0x" + digest.hex(),
                recorded_signer=stored.signer,
                signer=self._signer.address,
            )


def stored_receipt(stored: StoredReceipt) -> Receipt:
    """The receipt that a row holds."""
    return receipt_from_json(parse_json(stored.body.encode("utf-8"), MAX_BODY_BYTES))


def _json(value: object) -> str:
    return canonical_json(value).decode("utf-8")
