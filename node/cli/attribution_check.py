"""All checks of one attribution that a stranger can make: signature, chain, roots, tokens, recomputation."""

import asyncio
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from pathlib import Path

from node.attribution.attributor import Versions
from node.attribution.findings import Finding, finding
from node.attribution.recomputation import Case, Recomputation
from node.attribution.revocations import revocations_by
from node.chain.keccak import keccak
from node.chain.rpc import Chain
from node.cli.access import open_chain
from node.cli.case_file import CaseFile
from node.cli.public_data import FetchedBlobs
from node.cli.receipt_checks import check_receipt
from node.cli.recheck_worker import OneWorker, given_worker, own_worker
from node.config import Config
from node.errors import OpenLedgerError
from node.governance.parameters import ParameterMirror
from node.models.contracts import ModelContracts
from node.serving.model import ServedModel
from node.serving.provenance import Provenance
from protocol.receipt import Receipt

CLOSED = "the answer's tokens, shown by whoever paid (--api-key-file or --opening)"


@dataclass(frozen=True)
class Place:
    """Where it is recomputed: a worker's socket (None for one of its own) with its token, the base for one
    of its own, and the folder for public data.
    """

    worker: Path | None
    token_file: Path
    base: Path
    data: Path


def check(case: CaseFile, config: Config, place: Place) -> tuple[Finding, ...]:
    """Every finding, in the order in which one rests on the other."""
    chain = open_chain(config)
    receipt = case.receipt
    signed = [
        Finding(name, holds, "holds", detail)
        for name, holds, detail in check_receipt(
            receipt.request_id, case.receipt_body, case.attribution, chain
        )
    ]
    found = [*signed, *model_findings(receipt, case.model, chain)]
    if any(one.agrees is False for one in found):
        # What follows would be of another model, or of a report that nobody signed.
        return tuple(found)
    if case.opening is None:
        return (*found, Finding("tokens", None, CLOSED, "not shown"))
    weights = (
        ParameterMirror(chain.contract("ProtocolParameters")).at(receipt.parameters_version).lane_weights
    )
    opened = Case(receipt, case.report, case.opening, case.model, weights)
    return (*found, *asyncio.run(_recomputed(opened, case.url, chain, place)))


def model_findings(receipt: Receipt, model: ServedModel, chain: Chain) -> tuple[Finding, ...]:
    """The model as the node says that it was served, against the registry."""
    terms = ModelContracts(chain).model(receipt.model_id).terms
    bundle = "none" if terms.bundle is None else terms.bundle.text
    try:
        Provenance(chain).check(model)
        manifest = Finding("manifest", True, "the published one", str(model.manifest_cid))
    except OpenLedgerError as error:
        manifest = Finding("manifest", False, "the published one", str(error))
    return (
        finding("model", str(receipt.model_id), str(model.model_id)),
        finding("bundle", bundle, model.adapter_cid or "none"),
        finding("version", str(receipt.datanet_version_key), str(model.datanet_version_key)),
        finding("registered version", str(terms.datanet_version_key), str(model.datanet_version_key)),
        finding("least span", str(terms.min_span_tokens), str(model.min_span_tokens)),
        manifest,
    )


async def _recomputed(case: Case, url: str, chain: Chain, place: Place) -> tuple[Finding, ...]:
    blobs = FetchedBlobs(url, case.receipt.request_id, place.data)
    for cid in (case.model.manifest_cid, case.model.tokens_cid):
        if cid is not None:
            await asyncio.to_thread(blobs.get, cid)
    try:
        async with _worker(place, blobs) as asker:
            versions = Versions(blobs.store)
            return await Recomputation(asker, versions, revocations_by(chain), keccak).findings(case)
    except OpenLedgerError as error:
        return (Finding("recomputation", None, "a worker that computes it", str(error)),)


def _worker(place: Place, blobs: FetchedBlobs) -> AbstractAsyncContextManager[OneWorker]:
    if place.worker is not None:
        return given_worker(place.worker, place.token_file)
    return own_worker(place.base, blobs)
