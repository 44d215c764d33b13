"""One answer's sources: the worker is asked, what it says is checked, and what cannot be known is said to
be unknown.

A worker that is away is asked again until the last bound has passed. One that answers wrongly, or cannot
answer, or dies of the question, costs the contributors nothing that they were owed by evidence: the answer is
reported as unattributed, and says why.
"""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol, TypeVar

from node.attribution.ensembles import lanes_of_member
from node.attribution.reports import build_report, report_without_sources
from node.attribution.retrieved import check_retrieved, shown_rows
from node.attribution.revocations import IsRevoked, revoked_rows
from node.attribution.scores import result_of
from node.attribution.waiting import Bounds, Waiting
from node.blobs.store import BlobStore
from node.errors import IntegrityError, NotFound, OpenLedgerError, Unavailable
from node.log import get_logger
from node.service import backoff_seconds
from node.serving.model import ServedModel
from protocol.attribution import AttributionReport, Lane
from protocol.canonical import parse_json
from protocol.cid import RAW, Cid, parse_cid
from protocol.context import Context
from protocol.errors import ProtocolError
from protocol.fields import Fields
from protocol.manifest import Manifest, coverage, decode_manifest
from protocol.types import MAX_UINT32, Address
from protocol.wire import AttributeRequest, AttributeResult

log = get_logger("attribution")

T = TypeVar("T")

LANES = (Lane.GRADIENT, Lane.SPAN)
REFUSALS_BEFORE_GIVING_UP = 3
# What a worker says when the process that attributes ended while it had the question.
PROCESS_DIED = "attribution_process_died"
RETRY_SECONDS = 0.5
CACHED_VERSIONS = 8
MAX_TOKENS_BYTES = 1 << 30
MAX_ROW_TOKENS = 1 << 20
MAX_ROWS = 1 << 24


class Asker(Protocol):
    """Whoever takes an attribution request to a worker; `node.serving.dispatcher.Dispatcher` does."""

    async def attribute(self, model: ServedModel, request: AttributeRequest) -> AttributeResult: ...


class Answered(Protocol):
    """The tokens of a question and its answer, and where rows stood in the question."""

    @property
    def prompt_ids(self) -> tuple[int, ...]: ...
    @property
    def output_ids(self) -> tuple[int, ...]: ...
    @property
    def context(self) -> Context | None: ...


@dataclass(frozen=True)
class Attribution:
    """The report of one answer, and what a reader is shown beside it."""

    report: AttributionReport
    evidence: dict[str, object]


@dataclass(frozen=True)
class Version:
    """A dataset manifest with what is computed from all of its rows: the owners' coverage shares in ppm."""

    manifest: Manifest
    coverage: tuple[tuple[Address, int], ...]


class Versions:
    """Dataset versions and open rows' tokens by CID, the last few kept parsed."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs
        self._versions: OrderedDict[str, Version] = OrderedDict()
        self._tokens: OrderedDict[str, Mapping[int, Sequence[int]]] = OrderedDict()

    def version(self, cid: str) -> Version:
        """The version under a manifest's CID. Raises NotFound, or IntegrityError for bytes that are none."""
        if cid not in self._versions:
            try:
                manifest = decode_manifest(self._blobs.get(parse_cid(cid)))
            except ProtocolError as error:
                raise IntegrityError(
                    "the dataset manifest is unreadable", cid=cid, reason=str(error)
                ) from error
            _keep(self._versions, cid, Version(manifest, tuple(sorted(coverage(manifest).items()))))
        return self._versions[cid]

    def keep(self, codes: Sequence[bytes]) -> None:
        """Store query codes, each under the CID of the hash that its report binds."""
        self._blobs.put_all(codes, "query code")

    def query_code(self, digest: bytes) -> bytes | None:
        """The bytes of a query's code by their sha256; None where they are not here."""
        try:
            return self._blobs.get(Cid(RAW, digest))
        except NotFound:
            return None

    def manifest(self, cid: str) -> Manifest:
        """The dataset manifest under a CID."""
        return self.version(cid).manifest

    def row_tokens(self, cid: str | None) -> Mapping[int, Sequence[int]]:
        """Token ids of a version's open rows; empty where this node has none."""
        if cid is None:
            return {}
        if cid not in self._tokens:
            _keep(self._tokens, cid, self._read_tokens(cid))
        return self._tokens[cid]

    def _read_tokens(self, cid: str) -> Mapping[int, Sequence[int]]:
        try:
            return decode_row_tokens(self._blobs.get(parse_cid(cid)))
        except (NotFound, ProtocolError) as error:
            # Without them spans are taken as claimed, as those in gated rows are.
            log.warning("row_tokens_missing", cid=cid, reason=str(error))
            return {}


class Attributor:
    """Attributes answers through workers."""

    def __init__(
        self,
        asker: Asker,
        versions: Versions,
        is_revoked: IsRevoked,
        bounds: Bounds | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._asker = asker
        self._versions = versions
        self._is_revoked = is_revoked
        self.waiting = Waiting(bounds or Bounds(), clock)

    async def attribute(
        self,
        request_id: bytes,
        fence: int,
        model: ServedModel,
        answer: Answered,
        weights: Mapping[Lane, int],
    ) -> Attribution:
        """The checked report; waits while no worker is there. A model without a Datanet has no sources to
        name. The retrieval lane is asked for where the prompt held rows.
        """
        if model.manifest_cid is None or not model.sources:
            return Attribution(report_without_sources(), {"reason": "the model has no Datanet"})
        requests = requests_of(request_id, fence, model, model.manifest_cid, answer)
        self.waiting.begin(request_id)
        try:
            return await self._ask_until_done(request_id, model, model.manifest_cid, requests, weights)
        finally:
            self.waiting.end(request_id)

    async def _ask_until_done(
        self,
        request_id: bytes,
        model: ServedModel,
        manifest_cid: str,
        requests: Sequence[AttributeRequest],
        weights: Mapping[Lane, int],
    ) -> Attribution:
        name, manifest = requests[0].request_id, self._versions.manifest(manifest_cid)
        refusals, attempt = 0, 0
        while True:
            attempt += 1
            try:
                return await self._ask(model, manifest, requests, weights)
            except Unavailable as error:
                log.warning("attribution_waits", request_id=name, error=str(error))
                reason, refused = str(error), error.facts.get("code") == PROCESS_DIED
                kind = str(error.facts.get("code", type(error).__name__))
            except OpenLedgerError as error:
                log.error("attribution_refused", request_id=name, error=str(error))
                reason, refused, kind = str(error), True, type(error).__name__
            refusals += refused
            late = self.waiting.failed(request_id, kind)
            if refusals == REFUSALS_BEFORE_GIVING_UP or late:
                log.error("attribution_given_up", request_id=name, attempts=attempt, late=late)
                return Attribution(report_without_sources(), {"reason": reason})
            await asyncio.sleep(backoff_seconds(RETRY_SECONDS, attempt))

    async def _ask(
        self,
        model: ServedModel,
        manifest: Manifest,
        requests: Sequence[AttributeRequest],
        weights: Mapping[Lane, int],
    ) -> Attribution:
        results = [await self._asker.attribute(model, request) for request in requests]
        for request, one in zip(requests, results, strict=True):
            check_retrieved(request, one, manifest)
        result = result_of(results, model.sources, manifest)
        # A row withdrawn since the version was published earns nothing; the chain is asked when the worker
        # has answered, so that what it says is as fresh as the receipt.
        revoked = await asyncio.to_thread(revoked_rows, result, manifest, self._is_revoked)
        report = build_report(
            result,
            manifest,
            weights,
            requests[0].output_ids,
            model.min_span_tokens,
            self._versions.row_tokens(model.tokens_cid),
            revoked,
            len(results),
        )
        # Whoever doubts a score needs the code that its hash binds.
        self._versions.keep(result.query_codes)
        members = [source.ppm for source in model.sources]
        return Attribution(report, _evidence(result, shown_rows(requests, results, members)))


def requests_of(
    request_id: bytes,
    fence: int,
    model: ServedModel,
    manifest_cid: str,
    answer: Answered,
) -> tuple[AttributeRequest, ...]:
    """One for each adapter that the model is made of."""
    lanes = LANES if answer.context is None else (*LANES, Lane.RETRIEVAL)
    return tuple(
        AttributeRequest(
            request_id="0x" + request_id.hex(),
            fence=fence,
            adapter_cid=source.adapter_cid,
            index_cid=source.index_cid,
            manifest_cid=manifest_cid,
            prompt_ids=answer.prompt_ids,
            output_ids=answer.output_ids,
            min_span_tokens=max(1, model.min_span_tokens),
            lanes=lanes_of_member(place, lanes),
            context=answer.context,
        )
        for place, source in enumerate(model.sources)
    )


def decode_row_tokens(data: bytes) -> dict[int, tuple[int, ...]]:
    """Row index to token ids, from the tokens file of a training's result."""
    fields = Fields(parse_json(data, MAX_TOKENS_BYTES), "tokens")
    fields.integer("v", 1, 1)
    fields.text("tokenizer_digest", 66)
    rows = dict(fields.each("rows", MAX_ROWS, _row))
    fields.done()
    return rows


def _row(where: str, value: object) -> tuple[int, tuple[int, ...]]:
    row, ids = value if isinstance(value, list) and len(value) == 2 else (None, None)
    fields = Fields({"row": row, "ids": ids}, where)
    return fields.integer("row", 0, MAX_UINT32), fields.integers("ids", MAX_ROW_TOKENS, 0, MAX_UINT32)


def _evidence(result: AttributeResult, retrieved: dict[str, object] | None) -> dict[str, object]:
    spans = [[match.start, match.length, match.row, match.row_start] for match in result.spans]
    shown: dict[str, object] = {"spans": spans, "tokenTexts": list(result.token_texts)}
    return shown if retrieved is None else {**shown, "retrieved": retrieved}


def _keep(cache: OrderedDict[str, T], key: str, value: T) -> None:
    cache[key] = value
    while len(cache) > CACHED_VERSIONS:
        cache.popitem(last=False)
