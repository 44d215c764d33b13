"""One answer put together from what the stages recorded of it, and checked again from the beginning.

Reads the database, the blobs and the mirrored parameters; it changes nothing.
"""

from collections.abc import Callable

from node.api.ports import AnswerRecord, Check, Part, Progress, RowView
from node.attribution.attributor import Versions
from node.attribution.waiting import Waiting
from node.blobs.store import BlobStore
from node.chain.keccak import keccak
from node.chain.signer import recover_receipt
from node.errors import NotFound, OpenLedgerError
from node.governance.parameters import ParameterMirror
from node.payments.session import Sessions, Unauthenticated
from node.receipts.issuer import stored_receipt
from node.receipts.log import (
    RetrievedRow,
    stored_ablations,
    stored_report,
    stored_retrieved,
    stored_spans,
    stored_terms,
)
from node.serving.answer import Answer
from node.serving.model import ServedModel
from node.serving.order import Order
from node.store.database import Database
from node.store.jobs import JobStore, StoredJob
from node.store.overview import OverviewStore
from node.store.receipts import ReceiptStore, StoredReceipt
from protocol.attribution import AttributionReport, attribution_root
from protocol.cid import parse_cid
from protocol.eip712 import Domain
from protocol.errors import ProtocolError
from protocol.manifest import Manifest, decode_row
from protocol.pricing import price
from protocol.profile import told
from protocol.receipt import Receipt, output_root, prompt_digest
from protocol.rewards import receipt_lines, split_price
from protocol.sampling import sampling_digest
from protocol.spans import Match

WasSigner = Callable[[str, str], bool]


class AnswerSource:
    """Satisfies `ports.Answers` from one node's database. `was_signer(node, signer)` asks the chain."""

    def __init__(
        self,
        database: Database,
        blobs: BlobStore,
        versions: Versions,
        parameters: ParameterMirror,
        sessions: Sessions,
        domain: Domain,
        was_signer: WasSigner,
        waiting: Waiting,
        publish_texts: bool,
    ) -> None:
        self._jobs = JobStore(database)
        self._receipts = ReceiptStore(database)
        self._overview = OverviewStore(database)
        self._blobs = blobs
        self._versions = versions
        self._parameters = parameters
        self._sessions = sessions
        self._domain = domain
        self._was_signer = was_signer
        self._waiting = waiting
        self._publish_texts = publish_texts

    def find(self, request_id: bytes) -> AnswerRecord | None:
        """The record as far as it has come."""
        job = self._jobs.find(request_id)
        if job is None:
            return None
        model = ServedModel.from_json(job.model_json)
        answer = Answer.from_json(job.result_json) if job.result_json is not None else None
        stored = self._receipts.find(request_id)
        receipt = stored_receipt(stored) if stored is not None else None
        report = stored_report(stored) if stored is not None else None
        spans = stored_spans(stored) if stored is not None else ()
        retrieved = stored_retrieved(stored) if stored is not None else ()
        epoch, state = self.settlement(receipt) if receipt is not None else (None, "owed")
        return AnswerRecord(
            request_id=request_id,
            model=model.name,
            requested_at=job.requested_at,
            finish_reason=answer.result.finish_reason if answer is not None else "",
            prompt=prompt_of(Order.from_json(job.order_json)),
            token_texts=tuple(token.text for token in answer.tokens) if answer is not None else (),
            spans=spans,
            rows=self._rows(model, report, spans, retrieved),
            receipt=receipt,
            signature=stored.signature if stored is not None else None,
            report=report,
            roles=self._roles(receipt) if receipt is not None else (),
            earners=tuple(Part(a.earner, a.amount) for a in self._receipts.accruals_of(request_id)),
            epoch=epoch,
            epoch_state=state,
            progress=self._progress(job),
            retrieved=retrieved,
            ablations=stored_ablations(stored) if stored is not None else (),
        )

    def _progress(self, job: StoredJob) -> Progress:
        if job.state in ("accepted", "abandoned"):
            stage = "generating" if job.state == "accepted" else "given_up"
            return Progress(stage, job.failure or "")
        wait = self._waiting.of(job.request_id)
        if wait is None:
            return Progress("attributing")
        return Progress("attributing", wait.reason, wait.seconds, wait.promised, wait.overdue)

    def settlement(self, receipt: Receipt) -> tuple[int | None, str]:
        """The epoch that pays a receipt, and how far it has come."""
        return self._overview.settlement_of(receipt.channel_id, receipt.cumulative)

    def may_read(self, request_id: bytes, api_key: str | None) -> bool:
        """Texts are for the payer, unless the operator publishes them."""
        if self._publish_texts:
            return True
        job = self._jobs.find(request_id)
        if job is None or api_key is None:
            return False
        try:
            return self._sessions.authenticate(api_key).channel_id == job.channel_id
        except Unauthenticated:
            return False

    def verify(self, request_id: bytes) -> tuple[Check, ...]:
        """Signature, signer, roots, digests, price and split, each recomputed. Raises NotFound."""
        job, stored = self._jobs.get(request_id), self._receipts.get(request_id)
        receipt, report = stored_receipt(stored), stored_report(stored)
        return (
            self._check_signature(receipt, stored),
            self._check_signer(receipt, stored),
            _equal("attribution root", receipt.attribution_root, attribution_root(report, keccak)),
            _equal("attribution method", receipt.method_id, report.method_id),
            *_check_answer(receipt, job),
            self._check_split(receipt, stored, report),
        )

    def _check_signature(self, receipt: Receipt, stored: StoredReceipt) -> Check:
        if stored.signature is None:
            return Check("signature", False, "not signed yet")
        try:
            signer = recover_receipt(receipt, stored.signature, self._domain)
        except OpenLedgerError as error:
            return Check("signature", False, str(error))
        return Check("signature", signer == stored.signer, f"recovers to {signer}")

    def _check_signer(self, receipt: Receipt, stored: StoredReceipt) -> Check:
        allowed = self._was_signer(receipt.node, stored.signer)
        verb = "signs" if allowed else "never signed"
        return Check("signer", allowed, f"{stored.signer} {verb} for node {receipt.node}")

    def _check_split(self, receipt: Receipt, stored: StoredReceipt, report: AttributionReport) -> Check:
        parameters = self._parameters.at(receipt.parameters_version)
        lines = receipt_lines(receipt, receipt.price, report, stored_terms(stored), parameters)
        kept = {accrual.earner: accrual.amount for accrual in self._receipts.accruals_of(receipt.request_id)}
        holds = {line.earner: line.amount for line in lines} == kept and sum(kept.values()) == receipt.price
        return Check("split", holds, f"{len(kept)} accounts get {sum(kept.values())} of {receipt.price} wei")

    def _roles(self, receipt: Receipt) -> tuple[Part, ...]:
        amounts = split_price(receipt.price, self._parameters.at(receipt.parameters_version).split)
        return tuple(Part(name, amount) for name, amount in amounts.named)

    def _rows(
        self,
        model: ServedModel,
        report: AttributionReport | None,
        spans: tuple[Match, ...],
        retrieved: tuple[RetrievedRow, ...],
    ) -> tuple[RowView, ...]:
        if report is None or model.manifest_cid is None:
            return ()
        manifest = self._versions.manifest(model.manifest_cid)
        named = {entry.row for entry in report.entries} | {span.row for span in spans}
        named |= {one.row for one in retrieved}
        return tuple(self._row(manifest, index) for index in sorted(named))

    def _row(self, manifest: Manifest, index: int) -> RowView:
        row = manifest.rows[index]
        if row.gated:
            return RowView(index, row.owner, "", "", True)
        try:
            text = decode_row(self._blobs.get(parse_cid(row.cid)))
        except (NotFound, ProtocolError):
            # The row's share stands without its bytes; this node may not hold them any more.
            return RowView(index, row.owner, "", "", False)
        return RowView(index, row.owner, text.prompt, text.completion, False)


def prompt_of(order: Order) -> str:
    """What was asked last, which is what a reader calls the question."""
    if order.prompt is not None:
        return order.prompt
    asked = [content for role, content in order.messages or () if role == "user"]
    return asked[-1] if asked else ""


def _check_answer(receipt: Receipt, job: StoredJob) -> tuple[Check, ...]:
    if job.result_json is None:
        return (Check("answer", False, "the recorded answer is gone"),)
    result = Answer.from_json(job.result_json).result
    rates = ServedModel.from_json(job.model_json).rates
    cost = price(receipt.prompt_tokens, receipt.output_tokens, rates)
    order = Order.from_json(job.order_json)
    sampling = sampling_digest(order.sampling, order.max_tokens, keccak)
    digest = prompt_digest(result.prompt_ids, sampling, job.prompt_salt, keccak)
    counts = (len(result.prompt_ids), len(result.output_ids))
    return (
        _equal("prompt digest", receipt.prompt_digest, digest),
        _equal("output root", receipt.output_root, output_root(result.output_ids, keccak)),
        Check(
            "tokens",
            counts == (receipt.prompt_tokens, receipt.output_tokens),
            f"{counts[0]} in, {counts[1]} out; {told(receipt.profile_id)}",
        ),
        Check("price", cost == receipt.price, f"{cost} wei by the registered rates, {receipt.price} charged"),
    )


def _equal(name: str, stated: bytes, recomputed: bytes) -> Check:
    return Check(name, stated == recomputed, f"stated 0x{stated.hex()}, recomputed 0x{recomputed.hex()}")
