"""The oracle tier of a dispute: a contributor's effect on one answer, by training without his rows.

The node's own worker trains, as a job that goes on after any stop; asking again is told how far it is. It
reads the node's own records beside the running node.
"""

import asyncio
from collections.abc import Callable, Mapping
from pathlib import Path

from node.api.recheck_source import stored_case
from node.attribution.recomputation import Case
from node.blobs.store import BlobStore
from node.chain.keccak import keccak
from node.config import Config
from node.errors import IntegrityError, InvalidInput
from node.serving.worker_client import WorkerClient
from node.store.blocks import BlockTable
from node.store.database import open_database
from node.store.jobs import JobStore
from node.store.receipts import ReceiptStore
from node.training.bundle import read_bundle
from protocol.cid import parse_cid
from protocol.opening import opening_faults
from protocol.types import Address
from protocol.wire import JobSpec, JobStatus
from protocol.wire_jobs import OracleQuestion

POLL_SECONDS = 2.0
ENDED = ("done", "failed", "cancelled")

Say = Callable[[JobStatus], None]


def ask(
    config: Config, request_id: bytes, owner: Address, socket: Path, token_file: Path, say: Say
) -> Mapping[str, object]:
    """The job's result once it is done. Raises NotFound, InvalidInput, IntegrityError where it failed."""
    database = open_database(config.node.data_dir / "node.sqlite")
    job, stored = JobStore(database).get(request_id), ReceiptStore(database).get(request_id)
    spec = spec_of(stored_case(job, stored, {}), owner, BlobStore(BlockTable(database)))
    return asyncio.run(_run(spec, socket, token_file, say))


def spec_of(case: Case, owner: Address, blobs: BlobStore) -> JobSpec:
    """The job that answers for one answer and contributor; asked again it is the same job."""
    faults = opening_faults(case.receipt, case.opening, keccak)
    if faults:
        raise IntegrityError("the recorded answer is not the receipt's", differs=", ".join(faults))
    if len(case.model.sources) != 1 or case.model.manifest_cid is None:
        raise InvalidInput(
            "one adapter is trained anew; ask for each member of an ensemble by an answer of its own",
            adapters=len(case.model.sources),
        )
    bundle = read_bundle(blobs, parse_cid(case.model.sources[0].adapter_cid))
    return JobSpec(
        job_id=f"oracle-{case.receipt.request_id.hex()[:32]}-{owner[2:18]}",
        fence=1,
        kind="oracle",
        manifest_cid=case.model.manifest_cid,
        base_fingerprint=bundle.manifest.base_fingerprint,
        recipe=bundle.manifest.recipe,
        oracle=OracleQuestion(owner, case.opening.prompt_ids, case.opening.output_ids),
    )


async def _run(spec: JobSpec, socket: Path, token_file: Path, say: Say) -> Mapping[str, object]:
    async with WorkerClient(socket, token_file) as client:
        await client.submit_job(spec)
        while (status := await client.job(spec.job_id)).state not in ENDED:
            say(status)
            await asyncio.sleep(POLL_SECONDS)
    if status.result is None:
        raise IntegrityError(f"the job {status.state}: {status.message}", job=spec.job_id)
    return status.result
