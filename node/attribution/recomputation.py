"""A receipt's attribution computed anew, through any worker, from the tokens behind its digests.

It asks once and believes nothing that the receipt's own lists do not bear out. What it needs beside the
tokens is public: the index, the manifest, open rows. Who pays what is not its business.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from node.attribution.attributor import Asker, Versions, requests_of
from node.attribution.findings import Finding, compare
from node.attribution.reports import ReportRefused, build_report
from node.attribution.retrieved import check_retrieved
from node.attribution.revocations import revoked_rows
from node.attribution.scored_recheck import Rechecked, recheck
from node.attribution.scores import result_of
from node.serving.model import ServedModel
from protocol.attribution import AttributionReport, Lane
from protocol.hashing import Keccak
from protocol.influence import Influence
from protocol.influence_list import influence_flaw, read_influence
from protocol.manifest import Manifest
from protocol.opening import Opening, opening_faults
from protocol.receipt import Receipt
from protocol.wire import AttributeRequest, AttributeResult

RevokedBy = Callable[[int, bytes, int], bool]
"""Whether a row (Datanet, digest) had been withdrawn by a time (unix seconds)."""


@dataclass(frozen=True)
class Case:
    """A receipt with its report, what opens its digests, and the model that it names as it was served."""

    receipt: Receipt
    report: AttributionReport
    opening: Opening
    model: ServedModel
    weights: Mapping[Lane, int]


class Recomputation:
    """Recomputes cases. `asker` takes requests to a worker, which need not be the one that answered."""

    def __init__(self, asker: Asker, versions: Versions, revoked_by: RevokedBy, keccak: Keccak) -> None:
        self._asker = asker
        self._versions = versions
        self._revoked_by = revoked_by
        self._keccak = keccak

    async def findings(self, case: Case) -> tuple[Finding, ...]:
        """What agrees and what does not. Raises what the worker raises where it cannot answer."""
        faults = opening_faults(case.receipt, case.opening, self._keccak)
        if faults:
            # Other tokens have other sources: there is nothing to compare.
            return (Finding("tokens", False, "those of the receipt", f"another {', '.join(faults)}"),)
        told = f"{len(case.opening.prompt_ids)} in, {len(case.opening.output_ids)} out"
        tokens = Finding("tokens", True, told, told)
        if case.model.manifest_cid is None or not case.model.sources:
            return (tokens, _without_sources(case.report))
        return (tokens, *await self._recomputed(case, case.model.manifest_cid))

    async def _recomputed(self, case: Case, manifest_cid: str) -> Sequence[Finding]:
        opening, name = case.opening, case.receipt.request_id
        requests = requests_of(name, 0, case.model, manifest_cid, opening)
        # Under a name of its own: fencing tokens are the answer's.
        asked = [replace(request, request_id=f"recheck.{name.hex()}") for request in requests]
        results = [await self._asker.attribute(case.model, request) for request in asked]
        manifest = await asyncio.to_thread(self._versions.manifest, manifest_cid)
        told: list[Finding] = []
        stated = _sections(case.report)
        if len(stated) == len(results):
            checked = [
                await self._evidence(case.model, *one) for one in zip(asked, stated, results, strict=True)
            ]
            results = [one.result for one in checked]
            told = [finding for one in checked for finding in one.findings]
        try:
            for request, result in zip(asked, results, strict=True):
                check_retrieved(request, result, manifest)
            found = await self._report(case, manifest, results)
        except ReportRefused as error:
            return [*told, Finding("report", None, "one that this worker can make", str(error))]
        return [*told, *compare(case.report, found)]

    async def _evidence(
        self, model: ServedModel, request: AttributeRequest, stated: Influence, result: AttributeResult
    ) -> Rechecked:
        async def under(code: bytes) -> AttributeResult:
            return await self._asker.attribute(model, replace(request, query_code=code))

        code = await asyncio.to_thread(self._versions.query_code, stated.query_code_hash)
        return await recheck(stated, code, result, len(request.output_ids), under)

    async def _report(
        self, case: Case, manifest: Manifest, results: Sequence[AttributeResult]
    ) -> AttributionReport:
        result = result_of(results, case.model.sources, manifest)

        def revoked(datanet: int, digest: bytes) -> bool:
            return self._revoked_by(datanet, digest, case.receipt.issued_at)

        return build_report(
            result,
            manifest,
            case.weights,
            case.opening.output_ids,
            case.model.min_span_tokens,
            self._versions.row_tokens(case.model.tokens_cid),
            await asyncio.to_thread(revoked_rows, result, manifest, revoked),
            len(results),
        )


def _sections(report: AttributionReport) -> tuple[Influence, ...]:
    words = report.lists.influence
    return () if influence_flaw(words) else read_influence(words)


def _without_sources(report: AttributionReport) -> Finding:
    none = "nothing is attributed: the model has no Datanet"
    found = none if not report.entries else f"{len(report.entries)} shares"
    return Finding("report", not report.entries, none, found)
