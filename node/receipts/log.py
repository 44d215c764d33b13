"""The receipts that this node has issued, read back as the records they are, with all that explains them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from node.receipts.issuer import stored_receipt
from node.receipts.terms import terms_from_json
from node.serving.answer import Answer
from node.serving.model import ServedModel
from node.store.database import Database
from node.store.epochs import EpochStore, StoredLine
from node.store.jobs import JobStore
from node.store.receipts import Accrual, ReceiptStore, StoredReceipt
from protocol.attribution import AttributionReport
from protocol.canonical import parse_json
from protocol.epoch_json import report_from_json
from protocol.receipt import Receipt
from protocol.rewards import Terms
from protocol.spans import Match

MAX_STORED_BYTES = 1 << 28


@dataclass(frozen=True)
class AnswerRecord:
    """Everything about one paid answer. `accruals` is what its price promises, `lines` what epochs have
    paid.
    """

    receipt: Receipt
    signer: str
    signature: bytes | None
    report: AttributionReport
    terms: Terms
    spans: tuple[Match, ...]
    token_texts: tuple[str, ...]
    reason: str | None
    model: str
    text: str
    accruals: tuple[Accrual, ...]
    lines: tuple[StoredLine, ...]


@dataclass(frozen=True)
class RetrievedRow:
    """A row in a prompt: its tokens [start, end), and the micro-nats that it added, None where that was not
    measured.
    """

    row: int
    start: int
    end: int
    added: int | None


class ReceiptLog:
    """Reads receipts; changes nothing."""

    def __init__(self, database: Database) -> None:
        self._receipts = ReceiptStore(database)
        self._jobs = JobStore(database)
        self._epochs = EpochStore(database)

    def record(self, request_id: bytes) -> AnswerRecord | None:
        """The record of one answer, None where it has no receipt yet."""
        stored = self._receipts.find(request_id)
        return None if stored is None else self._record(stored)

    def page(
        self, limit: int, before: tuple[int, bytes] | None = None, channel_id: bytes | None = None
    ) -> tuple[AnswerRecord, ...]:
        """Newest first; `before` is (issued_at, request_id) of the last record already seen."""
        return tuple(self._record(stored) for stored in self._receipts.page(limit, before, channel_id))

    def totals(self) -> tuple[int, int]:
        """How many receipts there are, and the wei they add up to."""
        return self._receipts.totals()

    def _record(self, stored: StoredReceipt) -> AnswerRecord:
        job = self._jobs.get(stored.request_id)
        evidence = _object(stored.evidence)
        return AnswerRecord(
            receipt=stored_receipt(stored),
            signer=stored.signer,
            signature=stored.signature,
            report=stored_report(stored),
            terms=stored_terms(stored),
            spans=stored_spans(stored),
            token_texts=tuple(evidence.get("tokenTexts", ())),
            reason=evidence.get("reason"),
            model=ServedModel.from_json(job.model_json).name,
            text=Answer.from_json(job.result_json or "").result.text,
            accruals=self._receipts.accruals_of(stored.request_id),
            lines=self._epochs.lines(request_id=stored.request_id),
        )


def stored_report(stored: StoredReceipt) -> AttributionReport:
    """The attribution report that a row holds."""
    return report_from_json(_object(stored.report))


def stored_terms(stored: StoredReceipt) -> Terms:
    """The terms that a row holds."""
    return terms_from_json(_object(stored.terms))


def stored_spans(stored: StoredReceipt) -> tuple[Match, ...]:
    """The spans shown beside an answer; none where attribution gave a reason instead."""
    return tuple(Match(*span) for span in _object(stored.evidence).get("spans", ()))


def stored_retrieved(stored: StoredReceipt) -> tuple[RetrievedRow, ...]:
    """The rows that stood in the prompt, in its order."""
    found = _object(stored.evidence).get("retrieved") or {}
    return tuple(RetrievedRow(*row) for row in found.get("rows", ()))


def stored_ablations(stored: StoredReceipt) -> list[Any]:
    """What was measured with some of these rows left out, for each adapter of the model."""
    found = _object(stored.evidence).get("retrieved") or {}
    return list(found.get("ablations", ()))


def _object(text: str) -> dict[str, Any]:
    value = parse_json(text.encode("utf-8"), MAX_STORED_BYTES)
    assert isinstance(value, dict)
    return value
