"""Stage 2 of the demo: an adapter from the version's manifest, its attribution index, its evaluation."""

import asyncio
from typing import Any

from node.blobs.store import BlobStore
from node.store.models import TrainingTable
from node.training.bundle import read_validity
from node.training.coordinator import TrainingCoordinator, TrainingOrder
from node.training.held_out import check_disjoint, encode_held_out
from protocol.cid import parse_cid
from protocol.manifest import Row, decode_manifest
from protocol.validity import ValidityReport
from protocol.validity_text import sentences
from protocol.wire import JobStatus
from scripts.demo_stages.material import Size, candidates, questions
from scripts.demo_stages.world import World

PROGRESS_SECONDS = 5.0
RECIPE = {"rank": 8, "alpha": 16, "batch": 8, "learning_rate": "0.002", "seed": 7}
# A report of two to three minutes: few rows, once over, four halves as by default. It says so, and
# `openledger model validity` adds more.
VALIDITY = {"validity_passes": 1, "validity_contributors": 3}


async def train(world: World) -> dict[str, Any]:
    """Trains on the version that is on chain; a job that an earlier run began is watched to its end."""
    coordinator = TrainingCoordinator(
        TrainingTable(world.core.database), world.core.blobs, world.core.worker, world.core.clock
    )
    job_id = await world.journal.once("training job", lambda: _start(world, coordinator))
    last = await _watch(world, coordinator, job_id)
    if last.state != "done":
        raise RuntimeError(f"training ended as {last.state}: {last.message}")
    result = dict(last.result or {})
    evaluation = result["evaluation"]
    for line in (evaluation["verdict"], evaluation["memorisation"]):
        world.console.say(f"   {line}")
    for line in sentences(validity_of(world, coordinator, job_id)):
        world.console.say(f"   {line}")
    return {"job": job_id, **result}


def validity_of(world: World, coordinator: TrainingCoordinator, job_id: str) -> ValidityReport:
    """How far the new adapter's attribution can be believed."""
    report = read_validity(world.core.blobs, coordinator.result(job_id).bundle)
    if report is None:
        raise RuntimeError("the bundle came without a validity report")
    return report


async def _start(world: World, coordinator: TrainingCoordinator) -> str:
    version = world.journal["datanet"]
    manifest_cid = parse_cid(version["manifest_cid"])
    await asyncio.to_thread(_check_held_out, world)
    health = await world.core.worker.health()
    order = TrainingOrder(
        datanet=version["datanet"],
        version=version["version"],
        manifest=manifest_cid,
        base_fingerprint=health.base.fingerprint,
        recipe={
            **RECIPE,
            **VALIDITY,
            "passes": world.size.passes,
            "checkpoints": world.size.checkpoints,
            "validity_rows": world.size.validity,
        },
        held_out=world.core.blobs.put(_held_out(world.size), "held-out questions"),
    )
    return await coordinator.start(order)


def _held_out(size: Size) -> bytes:
    return encode_held_out(_question_rows(size), candidates(size))


def _question_rows(size: Size) -> list[Row]:
    return [Row("qa", one.prompt, one.completion, {}) for one in questions(size)]


def _check_held_out(world: World) -> None:
    """No question may be among the rows trained on."""
    blobs: BlobStore = world.core.blobs
    manifest = decode_manifest(blobs.get(parse_cid(world.journal["datanet"]["manifest_cid"])))
    check_disjoint(_question_rows(world.size), [one.row for one in world.vault.plaintext_rows(manifest)])


async def _watch(world: World, coordinator: TrainingCoordinator, job_id: str) -> JobStatus:
    said, last = 0.0, coordinator.status(job_id)
    loop = asyncio.get_running_loop()
    async for status in coordinator.watch(job_id):
        changed = status.phase != last.phase or status.state != last.state
        if status.message and status.message != last.message:
            world.console.say(f"   {status.message}")
        last = status
        if changed or loop.time() - said >= PROGRESS_SECONDS:
            said = loop.time()
            loss = "" if status.loss is None else f" loss {float(status.loss):.3f}"
            phase = status.message or status.phase or status.state
            world.console.progress(status.step, status.steps, f"{phase}{loss}", status.eta_seconds)
    return last
