"""Training jobs from order to verified result, across restarts of node and worker.

An order is on disk before the worker hears of it, and has one id for ever: giving it out again starts
nothing twice. A worker that lost the job gets it again under a higher fencing token. "done" is recorded only
after the result was checked; what a worker says before that is progress and nothing more.
"""

from __future__ import annotations

import asyncio
import json
import secrets
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, replace
from typing import Protocol

import structlog

from node.blobs.store import BlobStore
from node.errors import IntegrityError, InvalidInput, NotFound, OpenLedgerError, Unavailable
from node.store.models import OPEN_STATES, StoredJob, TrainingTable
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
        job_id = f"training-{secrets.token_hex(8)}"
        spec = self._spec(job_id, order)
        queued = JobStatus(job_id, "queued", "", 0, 0, None, None, "", None)
        job = StoredJob(
            job_id,
            spec.fence,
            order.datanet,
            order.version,
            _dump(spec),
            _dump(queued),
            "queued",
            self._now(),
        )
        await asyncio.to_thread(self._check_blobs, order)
        await asyncio.to_thread(self._table.add, job)
        try:
            await self._worker.submit_job(spec)
        except Unavailable as error:
            log.warning("training_waits_for_worker", job_id=job_id, reason=str(error))
        except OpenLedgerError as error:
            await self._end(queued, "failed", str(error))
            raise
        return job_id

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
                group.create_task(self._follow(job.id))

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

    def _spec(self, job_id: str, order: TrainingOrder) -> JobSpec:
        spec = JobSpec(
            job_id=job_id,
            fence=1,
            kind="training",
            manifest_cid=order.manifest.text,
            base_fingerprint=order.base_fingerprint,
            recipe=dict(order.recipe),
            held_out_cid=None if order.held_out is None else order.held_out.text,
        )
        try:
            return JobSpec.from_json(spec.to_json())
        except ProtocolError as error:
            raise InvalidInput("not a training order", reason=str(error)) from error

    def _check_blobs(self, order: TrainingOrder) -> None:
        for cid in (order.manifest, order.held_out):
            if cid is not None and not self._blobs.has(cid):
                raise NotFound("the worker could not read this", cid=cid.text)

    async def _follow(self, job_id: str) -> None:
        async for status in self.watch(job_id):
            log.info("training", job_id=job_id, state=status.state, step=status.step, steps=status.steps)

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
            await asyncio.to_thread(check_result, _spec_of(job), status.result or {}, self._blobs)
        except OpenLedgerError as error:
            log.warning("training_result_refused", job_id=status.job_id, reason=str(error))
            return await self._end(status, "failed", f"the result was refused: {error}")
        await asyncio.to_thread(self._table.report, status.job_id, "done", _dump(status))
        log.info("training_done", job_id=status.job_id)
        return status

    async def _end(self, status: JobStatus, state: JobState, message: str) -> JobStatus:
        ended = replace(status, state=state, message=message, result=None, eta_seconds=None)
        if await asyncio.to_thread(self._table.report, status.job_id, state, _dump(ended)):
            return ended
        return await asyncio.to_thread(self.status, status.job_id)


def _dump(message: JobSpec | JobStatus) -> str:
    return json.dumps(message.to_json(), sort_keys=True)


def _spec_of(job: StoredJob) -> JobSpec:
    return JobSpec.from_json(json.loads(job.spec_json))
