"""Training jobs survive restarts of node and worker, start once, and end only with a checked result."""

import asyncio
from collections.abc import Callable
from dataclasses import replace

import pytest

from node.blobs.store import BlobStore
from node.errors import InvalidInput, NotFound, WorkerUnreachable
from node.store.database import Database
from node.store.models import TrainingTable
from node.training.coordinator import TrainingCoordinator, TrainingOrder
from node.training.follower import TrainingFollower
from protocol.cid import Cid, cid_of_raw
from protocol.wire import JobSpec, JobStatus
from tests.node.bundles_made import BASE_FINGERPRINT, RECIPE, training_result


class ScriptedWorker:
    """Holds jobs as the worker's job routes do; `steps` are the statuses it reports, one a poll."""

    def __init__(self, result: Callable[[], dict[str, object]] | None = None) -> None:
        self.specs: dict[str, JobSpec] = {}
        self.given: list[JobSpec] = []
        self.polls = 0
        self.silent = False
        self.unheard = 0
        self.cancelled: set[str] = set()
        self.refusal: Exception | None = None
        self.steps = 3
        self.result = result

    async def submit_job(self, spec: JobSpec) -> str:
        if self.silent:
            self.unheard += 1
            raise WorkerUnreachable("worker is away")
        if self.refusal is not None:
            raise self.refusal
        self.given.append(spec)
        self.specs.setdefault(spec.job_id, spec)
        return spec.job_id

    async def job(self, job_id: str) -> JobStatus:
        if self.silent:
            self.unheard += 1
            raise WorkerUnreachable("worker is away")
        if job_id not in self.specs:
            raise NotFound("no such job", job_id=job_id)
        if job_id in self.cancelled:
            return JobStatus(job_id, "cancelled", "", 0, 0, None, None, "", None)
        self.polls += 1
        if self.polls > self.steps and self.result is not None:
            return JobStatus(job_id, "done", "publish", 1, 1, 0.5, None, "", self.result())
        return JobStatus(job_id, "running", "training", self.polls, 10, 1.0 / self.polls, 5.0, "", None)

    async def cancel_job(self, job_id: str) -> None:
        if job_id not in self.specs:
            raise NotFound("no such job", job_id=job_id)
        self.cancelled.add(job_id)


@pytest.fixture
def manifest(blobs: BlobStore) -> Cid:
    return blobs.put(b"a dataset manifest")


@pytest.fixture
def order(manifest: Cid) -> TrainingOrder:
    return TrainingOrder(3, 1, manifest, BASE_FINGERPRINT, RECIPE)


def coordinator(database: Database, blobs: BlobStore, worker: ScriptedWorker) -> TrainingCoordinator:
    return TrainingCoordinator(TrainingTable(database), blobs, worker, now=lambda: 1000, poll_seconds=0.001)


async def watched(node: TrainingCoordinator, job_id: str) -> list[JobStatus]:
    async with asyncio.timeout(20):
        return [status async for status in node.watch(job_id)]


async def test_a_job_runs_to_a_verified_result(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.4"""
    worker = ScriptedWorker(lambda: training_result(blobs, order.manifest))
    node = coordinator(database, blobs, worker)
    job_id = await node.start(order)
    statuses = await watched(node, job_id)
    assert [status.state for status in statuses] == ["queued", "running", "running", "running", "done"]
    result = node.result(job_id)
    assert result.bundle.manifest.base_fingerprint == BASE_FINGERPRINT
    assert worker.given == [worker.specs[job_id]] and worker.given[0].manifest_cid == order.manifest.text


async def test_the_order_is_on_disk_before_the_worker_hears_of_it(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.1"""
    seen: list[str] = []

    class Witness(ScriptedWorker):
        async def submit_job(self, spec: JobSpec) -> str:
            seen.append(TrainingTable(database).get(spec.job_id).state)
            return await super().submit_job(spec)

    await coordinator(database, blobs, Witness()).start(order)
    assert seen == ["queued"]


async def test_a_restarted_node_resumes_watching(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.2"""
    worker = ScriptedWorker(lambda: training_result(blobs, order.manifest))
    job_id = await coordinator(database, blobs, worker).start(order)
    again = coordinator(database, blobs, worker)
    async with asyncio.timeout(20):
        await again.watch_all()
    assert again.status(job_id).state == "done" and len(worker.given) == 1
    assert [status.state for status in await watched(again, job_id)] == ["done"]


async def test_a_silent_worker_ends_no_job(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.2"""
    worker = ScriptedWorker(lambda: training_result(blobs, order.manifest))
    worker.silent = True
    node = coordinator(database, blobs, worker)
    job_id = await node.start(order)
    watching = asyncio.create_task(watched(node, job_id))
    async with asyncio.timeout(20):
        while worker.unheard < 4:  # noqa: ASYNC110 - the silent worker tells nobody
            await asyncio.sleep(0.001)
    assert node.status(job_id).state == "queued" and not watching.done()
    worker.silent = False
    assert (await watching)[-1].state == "done"
    assert [spec.fence for spec in worker.given] == [2]


async def test_a_worker_that_lost_the_job_gets_it_again_under_a_higher_fence(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.3"""
    worker = ScriptedWorker(lambda: training_result(blobs, order.manifest))
    node = coordinator(database, blobs, worker)
    job_id = await node.start(order)
    worker.specs.clear()
    assert (await watched(node, job_id))[-1].state == "done"
    first, second = worker.given
    assert second == replace(first, fence=first.fence + 1)
    assert TrainingTable(database).get(job_id).fence == second.fence


LIES: dict[str, dict[str, object]] = {
    "bundle that is not here": {"bundle_cid": cid_of_raw(b"absent").text},
    "index of other rows": {"rows": 399},
    "recipe digest": {"recipe_digest": "0x" + "00" * 32},
    "another index": {"index_cid": cid_of_raw(b"another index").text},
    "tokens that are not here": {"tokens_cid": cid_of_raw(b"absent too").text},
    "unknown field": {"extra": 1},
    "path for a CID": {"bundle_cid": "../../etc/passwd"},
    "no rows": {"rows": 0},
}


@pytest.mark.parametrize("lie", LIES)
async def test_a_false_result_ends_the_job_as_failed(
    database: Database, blobs: BlobStore, order: TrainingOrder, lie: str
) -> None:
    """SPEC 2.4"""
    worker = ScriptedWorker(lambda: training_result(blobs, order.manifest, LIES[lie]))
    node = coordinator(database, blobs, worker)
    job_id = await node.start(order)
    last = (await watched(node, job_id))[-1]
    assert last.state == "failed" and "refused" in last.message
    with pytest.raises(NotFound):
        node.result(job_id)


@pytest.mark.parametrize(
    "change",
    [
        {"base_fingerprint": "0x" + "11" * 32},
        {"recipe": {**RECIPE, "rank": 8}},
        {"recipe": {**RECIPE, "learning_rate": "0.01"}},
        {"recipe": {**RECIPE, "target_modules": ("q_proj",)}},
    ],
)
async def test_a_bundle_of_another_order_is_refused(
    database: Database, blobs: BlobStore, order: TrainingOrder, change: dict[str, object]
) -> None:
    """SPEC 2.4"""
    worker = ScriptedWorker(lambda: training_result(blobs, order.manifest))
    node = coordinator(database, blobs, worker)
    job_id = await node.start(replace(order, **change))
    last = (await watched(node, job_id))[-1]
    assert last.state == "failed" and "another job" in last.message


async def test_a_bundle_of_another_dataset_is_refused(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.4"""
    other = blobs.put(b"another dataset manifest")
    worker = ScriptedWorker(lambda: training_result(blobs, other))
    node = coordinator(database, blobs, worker)
    last = (await watched(node, await node.start(order)))[-1]
    assert last.state == "failed" and "dataset_manifest_cid" in last.message


async def test_cancelling_ends_a_job_once_and_for_all(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.5"""
    worker = ScriptedWorker(lambda: training_result(blobs, order.manifest))
    node = coordinator(database, blobs, worker)
    job_id = await node.start(order)
    assert (await node.cancel(job_id)).state == "cancelled" and job_id in worker.cancelled
    assert (await node.cancel(job_id)).state == "cancelled"
    worker.cancelled.clear()
    assert [status.state for status in await watched(node, job_id)] == ["cancelled"]


async def test_a_finished_job_cannot_be_cancelled(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.5"""
    worker = ScriptedWorker(lambda: training_result(blobs, order.manifest))
    node = coordinator(database, blobs, worker)
    job_id = await node.start(order)
    await watched(node, job_id)
    assert (await node.cancel(job_id)).state == "done" and node.result(job_id).rows == 400


async def test_an_order_that_could_never_run_is_refused_at_once(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.1"""
    node = coordinator(database, blobs, ScriptedWorker())
    with pytest.raises(NotFound):
        await node.start(replace(order, manifest=cid_of_raw(b"not here")))
    with pytest.raises(InvalidInput):
        await node.start(replace(order, recipe={"learning_rate": 0.001}))
    with pytest.raises(InvalidInput):
        await node.start(replace(order, base_fingerprint="ab"))
    assert TrainingTable(database).all() == ()


async def test_a_refusal_by_the_worker_is_told_and_recorded(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.1"""
    worker = ScriptedWorker()
    worker.refusal = InvalidInput("rank 99 is not served")
    node = coordinator(database, blobs, worker)
    with pytest.raises(InvalidInput, match="rank 99"):
        await node.start(order)
    [job] = TrainingTable(database).all()
    assert job.state == "failed" and "rank 99" in job.status_json


async def test_an_ended_job_hears_nothing_more(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.5"""
    node = coordinator(database, blobs, ScriptedWorker())
    job_id = await node.start(order)
    await node.cancel(job_id)
    assert not TrainingTable(database).report(job_id, "running", "{}")


async def test_the_daemons_follower_brings_unfinished_jobs_to_their_end(
    database: Database, blobs: BlobStore, order: TrainingOrder
) -> None:
    """SPEC 2.2"""
    worker = ScriptedWorker(lambda: training_result(blobs, order.manifest))
    first = coordinator(database, blobs, worker)
    job_id = await first.start(order)
    follower = TrainingFollower(coordinator(database, blobs, worker))
    await follower.start()
    [watching] = follower._tasks
    await asyncio.wait_for(watching, 20)
    await follower.stop()
    assert first.status(job_id).state == "done" and len(worker.given) == 1
