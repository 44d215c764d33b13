"""What an answer cost, who made it useful, and whether its receipt holds: /v1/receipts and /v1/attribution.

Shares, amounts and digests are for everyone who knows the request id; the texts only for those who may read
them.
"""

import asyncio
import re

from aiohttp import web

from node.api import credentials
from node.api.keys import ANSWERS
from node.api.ports import AnswerRecord, RowView
from node.api.problems import Problem
from protocol.attribution import AttributionReport
from protocol.epoch_json import lists_to_json
from protocol.hashing import from_hex, to_hex
from protocol.receipt import receipt_to_json

routes = web.RouteTableDef()
REQUEST_ID = re.compile(r"0x[0-9a-f]{64}")


def request_id_of(request: web.Request) -> bytes:
    """The id in the path. Raises Problem."""
    text = request.match_info["request_id"]
    if not REQUEST_ID.fullmatch(text):
        raise Problem(
            400, "invalid_request_id", "a request id is 0x and 64 lower-case hex digits", "request_id"
        )
    return from_hex(text, 32)


@routes.get("/v1/receipts/{request_id}")
async def get_receipt(request: web.Request) -> web.Response:
    """The signed receipt; 202 while the answer is still being attributed."""
    record = await _record(request)
    if record.receipt is None or record.signature is None:
        return _pending(record, "receipt")
    return web.json_response(
        {
            "object": "receipt",
            "status": "issued",
            "model": record.model,
            "receipt": receipt_to_json(record.receipt),
            "signature": to_hex(record.signature),
            "parts": [{"name": part.name, "amount": str(part.amount)} for part in record.roles],
            "earners": [{"account": part.name, "amount": str(part.amount)} for part in record.earners],
            "settlement": {"state": record.epoch_state, "epoch": record.epoch},
        }
    )


@routes.get("/v1/receipts/{request_id}/verify")
async def verify_receipt(request: web.Request) -> web.Response:
    """Recomputes what can be recomputed here, check by check."""
    checks = await asyncio.to_thread(request.app[ANSWERS].verify, request_id_of(request))
    return web.json_response(
        {
            "object": "verification",
            "valid": all(check.holds for check in checks),
            "checks": [
                {"name": check.name, "holds": check.holds, "detail": check.detail} for check in checks
            ],
        }
    )


@routes.get("/v1/attribution/{request_id}")
async def get_attribution(request: web.Request) -> web.Response:
    """Shares by row and by contributor, the spans, and the tokens they refer to."""
    record = await _record(request)
    if record.report is None:
        return _pending(record, "attribution")
    key = credentials.bearer(request.headers)
    readable = await asyncio.to_thread(request.app[ANSWERS].may_read, record.request_id, key)
    return web.json_response(attribution_of(record, record.report, readable))


def attribution_of(record: AnswerRecord, report: AttributionReport, readable: bool) -> dict[str, object]:
    """The attribution as JSON. Without `readable` it holds no text of the answer and none of the rows."""
    return {
        "object": "attribution",
        "status": "done",
        "request_id": to_hex(record.request_id),
        "model": record.model,
        "method_id": to_hex(report.method_id),
        "entries": [
            {"lane": entry.lane.name.lower(), "row": entry.row, "owner": entry.owner, "ppm": entry.ppm}
            for entry in report.entries
        ],
        "unattributed_ppm": report.unattributed_ppm,
        "lists": lists_to_json(report.lists),
        "contributors": [{"owner": owner, "ppm": ppm} for owner, ppm in by_owner(report)],
        "spans": [
            {"start": span.start, "length": span.length, "row": span.row, "row_start": span.row_start}
            for span in record.spans
        ],
        "retrieved": [
            {"row": one.row, "start": one.start, "end": one.end, "added_micronats": one.added}
            for one in record.retrieved
        ]
        if readable
        else None,
        "ablations": list(record.ablations) if readable else None,
        "token_texts": list(record.token_texts) if readable else None,
        "rows": [_row(row, readable) for row in shown_rows(record, readable)],
    }


def shown_rows(record: AnswerRecord, readable: bool) -> tuple[RowView, ...]:
    """The rows that a reader is told of. Which ones a question found says something of the question: to
    those who may not read it, only rows that earn or that the answer repeats are named.
    """
    public = {span.row for span in record.spans}
    if record.report is not None:
        public |= {entry.row for entry in record.report.entries}
    return tuple(row for row in record.rows if readable or row.index in public)


def by_owner(report: AttributionReport) -> tuple[tuple[str, int], ...]:
    """Ppm by contributor, largest first, then by address."""
    totals: dict[str, int] = {}
    for entry in report.entries:
        totals[entry.owner] = totals.get(entry.owner, 0) + entry.ppm
    return tuple(sorted(totals.items(), key=lambda item: (-item[1], item[0])))


def _row(row: RowView, readable: bool) -> dict[str, object]:
    shown = readable and not row.gated
    return {
        "index": row.index,
        "owner": row.owner,
        "gated": row.gated,
        "prompt": row.prompt if shown else None,
        "completion": row.completion if shown else None,
    }


async def _record(request: web.Request) -> AnswerRecord:
    record = await asyncio.to_thread(request.app[ANSWERS].find, request_id_of(request))
    if record is None:
        raise Problem(404, "request_not_found", "this node has answered no such request", "request_id")
    return record


def _pending(record: AnswerRecord, name: str) -> web.Response:
    progress = record.progress
    if progress.stage == "given_up":
        message = f"this request was given up and costs nothing; repeat it ({progress.reason})"
        raise Problem(410, "request_given_up", message, "request_id")
    body = {
        "object": name,
        "status": "pending",
        "request_id": to_hex(record.request_id),
        "model": record.model,
        "stage": progress.stage,
        "waited_seconds": progress.seconds,
        "bound_seconds": progress.promised,
        "overdue": progress.overdue,
        "reason": progress.reason,
    }
    return web.json_response(body, status=202, headers={"Retry-After": "1"})
