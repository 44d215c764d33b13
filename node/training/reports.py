"""Validity reports: the one that a bundle came with, and later ones of more retrainings, ordered here.

A later report changes no payment: kappa stands in the index that the model is registered with. It is shown
with where it came from, and a new version of the model may be trained to be paid by it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from node.blobs.store import BlobStore
from node.errors import IntegrityError, NotFound
from node.log import get_logger
from node.store.models import OPEN_STATES, StoredJob, TrainingTable
from node.training.bundle import Bundle, check_validity, read_bundle, read_validity
from protocol.cid import Cid, parse_cid
from protocol.errors import ProtocolError
from protocol.fields import Fields
from protocol.types import MAX_UINT32
from protocol.validity import MAX_VALIDITY_BYTES, ValidityReport, decode_validity
from protocol.wire import JobSpec

log = get_logger("reports")

OF_BUNDLE = "the model's own bundle"


class ReportDisagrees(IntegrityError):
    """A validity report that is not of the adapter it was ordered for."""


@dataclass(frozen=True)
class Provenance:
    """A report with its content id, who made it ("the model's own bundle" or a job of this node), and when
    that job was ordered (unix seconds, None for the bundle's).
    """

    report: ValidityReport
    cid: Cid
    source: str
    ordered_at: int | None = None


def check_report(spec: JobSpec, result: Mapping[str, object], blobs: BlobStore) -> Provenance:
    """The report of a validity job. Raises ReportDisagrees, BadBundle, or NotFound where it is not here."""
    try:
        fields = Fields(dict(result), "result")
        cid = parse_cid(fields.text("validity_cid", 59))
        retrainings = fields.integer("retrainings", 0, MAX_UINT32)
        fields.integer("seconds", 0, MAX_UINT32)
        fields.done()
        report = decode_validity(blobs.get(cid, MAX_VALIDITY_BYTES))
        bundle = read_bundle(blobs, parse_cid(str(spec.adapter_cid)))
    except ProtocolError as error:
        raise ReportDisagrees("no validity report", job_id=spec.job_id, reason=str(error)) from error
    check_validity(report, bundle)
    if (len(report.retrainings), report.design.held_out_cid) != (retrainings, spec.held_out_cid):
        raise ReportDisagrees(
            "report is of another order",
            asked=spec.held_out_cid,
            actual=report.design.held_out_cid,
            claimed=retrainings,
            retrainings=len(report.retrainings),
        )
    return Provenance(report, cid, spec.job_id)


class Reports:
    """The newest report of each bundle. Reports never change, so each is read once."""

    def __init__(self, table: TrainingTable, blobs: BlobStore) -> None:
        self._table = table
        self._blobs = blobs
        self._read: dict[str, Provenance | None] = {}

    def newest(self, bundle: Bundle) -> Provenance | None:
        """The last one that was ordered here and finished, else the bundle's own, else None."""
        for job, spec in reversed(self._jobs(bundle)):
            if job.state == "done" and (found := self._kept(job.id, lambda: self._of_job(job, spec))):  # noqa: B023
                return found
        return self._kept(bundle.cid.text, lambda: self._own(bundle))

    def unfinished(self, bundle: Bundle) -> str | None:
        """The job that measures this bundle now."""
        waiting = [job.id for job, _ in self._jobs(bundle) if job.state in OPEN_STATES]
        return waiting[-1] if waiting else None

    def _jobs(self, bundle: Bundle) -> list[tuple[StoredJob, JobSpec]]:
        spelled = [(job, JobSpec.from_json(json.loads(job.spec_json))) for job in self._table.all()]
        return [
            (job, spec)
            for job, spec in spelled
            if spec.kind == "validity" and spec.adapter_cid == bundle.cid.text
        ]

    def _kept(self, key: str, read: Callable[[], Provenance | None]) -> Provenance | None:
        if key not in self._read:
            try:
                self._read[key] = read()
            except (IntegrityError, NotFound) as error:
                log.warning("validity_not_readable", of=key, reason=str(error))
                return None
        return self._read[key]

    def _of_job(self, job: StoredJob, spec: JobSpec) -> Provenance:
        found = check_report(spec, json.loads(job.status_json)["result"], self._blobs)
        return replace(found, ordered_at=job.created_at)

    def _own(self, bundle: Bundle) -> Provenance | None:
        report = read_validity(self._blobs, bundle)
        if report is None or bundle.manifest.validity is None:
            return None
        return Provenance(report, bundle.manifest.validity, OF_BUNDLE)
