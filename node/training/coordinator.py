"""Training jobs from order to verified result, across restarts of node and worker.

An order is on disk before the worker hears of it, and has one id for ever: giving it out again starts
nothing twice. A worker that lost the job gets it again under a higher fencing token. "done" is recorded only
after the result was checked; what a worker says before that is progress and nothing more.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from node.blobs.store import BlobStore
from node.errors import IntegrityError, InvalidInput, NotFound, OpenLedgerError, Unavailable
from node.store.models import OPEN_STATES, StoredJob, TrainingTable
from node.training.bundle import Bundle
from node.training.reports import check_report
from node.training.result import TrainingResult, check_result
from protocol.cid import Cid
from protocol.errors import ProtocolError
from protocol.wire import JobSpec, JobState, JobStatus

log = structlog.get_logger(component="training")

POLL_SECONDS = 1.0


class TrainingWorker(Protocol):
    """The worker's job routes: `node.serving.worker_client.WorkerClient`."""

    async def submit_job(self, spec: JobSpec) -> str: ...
    async def job(self, job_id: str) -> JobStatus: ...
    async def cancel_job(self, job_id: str) -> None: ...


@dataclass(frozen=True)
class TrainingOrder:
    """What to train. `recipe` holds whole numbers, strings and lists of strings; missing names take the
    worker's defaults."""

    datanet: int
    version: int
    manifest: Cid
    base_fingerprint: str
    recipe: Mapping[str, object]
    held_out: Cid | None = None


@dataclass(frozen=True)
class ValidityOrder:
    """More retrainings for a published bundle's validity report: random halves, and how many contributors to
    leave out in turn. `known` is the report to go on from.
    """

    datanet: int
    version: int
    bundle: Bundle
    held_out: Cid
    subsets: int
    contributors: int
    known: Cid | None = None


class TrainingCoordinator:
    """Gives jobs to one worker and watches them."""

    def __init__(
        self,
        table: TrainingTable,
        blobs: BlobStore,
        worker: TrainingWorker,
        now: Callable[[], int],
        poll_seconds: float = POLL_SECONDS,
    ) -> None:
        self._table = table
        self._blobs = blobs
        self._worker = worker
        self._now = now
        self._poll_seconds = poll_seconds

    async def start(self, order: TrainingOrder) -> str:
        """Record an order and give it to the worker; return the job's id.

        With the worker away the job stays queued, and `watch` gives it out later. Raises NotFound where the
        manifest is not here, InvalidInput for a recipe that is no plain data or that the worker refuses.
        """
        spec = JobSpec(
            job_id=f"training-{secrets.token_hex(8)}",
            fence=1,
            kind="training",
            manifest_cid=order.manifest.text,
            base_fingerprint=order.base_fingerprint,
            recipe=dict(order.recipe),
            held_out_cid=None if order.held_out is None else order.held_out.text,
        )
        await asyncio.to_thread(self._check_blobs, (order.manifest, order.held_out))
        return await self._give(spec, order.datanet, order.version)

    async def start_validity(self, order: ValidityOrder) -> str:
        """Order a validity report of a published bundle, as `start` orders a training."""
        manifest = order.bundle.manifest
        spec = JobSpec(
            job_id=f"validity-{secrets.token_hex(8)}",
            fence=1,
            kind="validity",
            manifest_cid=manifest.dataset_manifest.text,
            base_fingerprint=manifest.base_fingerprint,
            recipe={"validity_subsets": order.subsets, "validity_contributors": order.contributors},
            held_out_cid=order.held_out.text,
            adapter_cid=order.bundle.cid.text,
            report_cid=None if order.known is None else order.known.text,
        )
        await asyncio.to_thread(
            self._check_blobs, (manifest.dataset_manifest, manifest.index, order.held_out)
        )
        return await self._give(spec, order.datanet, order.version)

    async def _give(self, ordered: JobSpec, datanet: int, version: int) -> str:
        try:
            spec = JobSpec.from_json(ordered.to_json())
        except ProtocolError as error:
            raise InvalidInput("not an order for a worker", reason=str(error)) from error
        queued = JobStatus(spec.job_id, "queued", "", 0, 0, None, None, "", None)
        job = StoredJob(
            spec.job_id,
            spec.fence,
            datanet,
            version,
            _dump(spec),
            _dump(queued),
            "queued",
            self._now(),
        )
        await asyncio.to_thread(self._table.add, job)
        try:
            await self._worker.submit_job(spec)
        except Unavailable as error:
            log.warning("training_waits_for_worker", job_id=spec.job_id, reason=str(error))
        except OpenLedgerError as error:
            await self._end(queued, "failed", str(error))
            raise
        return spec.job_id

    async def watch(self, job_id: str) -> AsyncIterator[JobStatus]:
        """Every change of a job's status until it ends, the last one included; resumes where a node left off.

        A worker that does not answer is asked again: its silence is no end of the job.
        """
        job = await asyncio.to_thread(self._table.get, job_id)
        last = JobStatus.from_json(json.loads(job.status_json))
        yield last
        while last.state in OPEN_STATES:
            status = await self._ask(job_id)
            if status is not None and status != last:
                last = await self._record(status)
                yield last
                continue
            await asyncio.sleep(self._poll_seconds)

    async def watch_all(self) -> None:
        """Bring every unfinished job to its end: what a restarted node runs first."""
        unfinished = await asyncio.to_thread(self._table.unfinished)
        async with asyncio.TaskGroup() as group:
            for job in unfinished:
                group.create_task(self.follow(job.id))

    async def follow(self, job_id: str) -> None:
        """Watch a job to its end."""
        async for status in self.watch(job_id):
            log.info(
                "training",
                job_id=job_id,
                state=status.state,
                step=status.step,
                steps=status.steps,
                message=status.message,
            )

    async def cancel(self, job_id: str) -> JobStatus:
        """End a job; one that has ended stays as it is. Returns its last status."""
        job = await asyncio.to_thread(self._table.get, job_id)
        status = JobStatus.from_json(json.loads(job.status_json))
        if job.state not in OPEN_STATES:
            return status
        try:
            await self._worker.cancel_job(job_id)
        except NotFound:
            log.info("cancelled_before_it_began", job_id=job_id)
        return await self._end(status, "cancelled", "cancelled by the operator")

    def status(self, job_id: str) -> JobStatus:
        """The job as last heard of. Raises NotFound."""
        return JobStatus.from_json(json.loads(self._table.get(job_id).status_json))

    def result(self, job_id: str) -> TrainingResult:
        """The verified result of a finished job, checked again. Raises NotFound while there is none."""
        job = self._table.get(job_id)
        status = JobStatus.from_json(json.loads(job.status_json))
        if status.result is None:
            raise NotFound("job has no result", job_id=job_id, state=status.state)
        return check_result(_spec_of(job), status.result, self._blobs)

    def _check_blobs(self, needed: Sequence[Cid | None]) -> None:
        for cid in needed:
            if cid is not None and not self._blobs.has(cid):
                raise NotFound("the worker could not read this", cid=cid.text)

    async def _ask(self, job_id: str) -> JobStatus | None:
        try:
            status = await self._worker.job(job_id)
            if status.job_id != job_id:
                raise IntegrityError("worker answers about another job", asked=job_id, told=status.job_id)
            return status
        except NotFound:
            return await self._give_again(job_id)
        except Unavailable as error:
            log.info("worker_silent", job_id=job_id, reason=str(error))
            return None

    async def _give_again(self, job_id: str) -> JobStatus | None:
        # The worker never got the job or lost its disk; whoever still works on the old one is fenced off.
        job = await asyncio.to_thread(self._table.get, job_id)
        spec = replace(_spec_of(job), fence=job.fence + 1)
        await asyncio.to_thread(self._table.renew, job_id, spec.fence, _dump(spec))
        try:
            await self._worker.submit_job(spec)
        except Unavailable as error:
            log.info("worker_silent", job_id=job_id, reason=str(error))
        return None

    async def _record(self, status: JobStatus) -> JobStatus:
        if status.state == "done":
            return await self._finish(status)
        await asyncio.to_thread(self._table.report, status.job_id, status.state, _dump(status))
        return status

    async def _finish(self, status: JobStatus) -> JobStatus:
        job = await asyncio.to_thread(self._table.get, status.job_id)
        try:
            await asyncio.to_thread(self._check, _spec_of(job), status.result or {})
        except OpenLedgerError as error:
            log.warning("training_result_refused", job_id=status.job_id, reason=str(error))
            return await self._end(status, "failed", f"the result was refused: {error}")
        await asyncio.to_thread(self._table.report, status.job_id, "done", _dump(status))
        log.info("training_done", job_id=status.job_id)
        return status

    def _check(self, spec: JobSpec, result: Mapping[str, object]) -> None:
        check = check_report if spec.kind == "validity" else check_result
        check(spec, result, self._blobs)

    async def _end(self, status: JobStatus, state: JobState, message: str) -> JobStatus:
        ended = replace(status, state=state, message=message, result=None, eta_seconds=None)
        if await asyncio.to_thread(self._table.report, status.job_id, state, _dump(ended)):
            return ended
        return await asyncio.to_thread(self.status, status.job_id)


def _dump(message: JobSpec | JobStatus) -> str:
    return json.dumps(message.to_json(), sort_keys=True)


def _spec_of(job: StoredJob) -> JobSpec:
    return JobSpec.from_json(json.loads(job.spec_json))
