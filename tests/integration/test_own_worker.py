"""A check with a worker of its own: a real process, fed with public data alone, finds the same sources."""

import asyncio
from pathlib import Path

import pytest
import torch

from inference_worker.attribution.service import AttributionService
from node.cli.public_data import FetchedBlobs
from node.cli.recheck_worker import OneWorker, own_worker
from node.errors import NotFound
from node.serving.model import ServedModel
from protocol.attribution import Lane
from protocol.wire import AttributeRequest, AttributeResult, RowsRequest
from tests.inference_worker.attribution.trained_model import trained_model
from tests.inference_worker.blob_server import BlobServer
from tests.inference_worker.tiny_base import make_tiny_base

MODEL = ServedModel("m", 1, "", "", None, None, None, None, 0, 0, 0, 0, (), 0)
NOBODY = "http://127.0.0.1:9"


@pytest.mark.slow
def test_a_worker_of_its_own_recomputes_from_public_data(tmp_path: Path) -> None:
    """SPEC 5.165, 5.167: what a gated row holds it has not; the process ends with the check."""
    torch.set_num_threads(1)
    base = make_tiny_base(tmp_path / "base")
    with BlobServer(tmp_path / "node.sock") as server:
        trained = trained_model(server, base, tmp_path / "trained")
        asked = trained.request(lanes=(Lane.GRADIENT,))
        expected = AttributionService(trained.base, trained.blobs, tmp_path / "indexes").attribute(asked)
        blobs = FetchedBlobs(NOBODY, b"\1" * 32, tmp_path / "public")
        blobs.store.put_all(server.blobs.values())
    found, rows, left = asyncio.run(_recomputed(base, blobs, asked))
    assert found == expected and found.lanes[0].ran
    assert set(rows) == {3} and len(rows[3]) == 2
    assert left == []


async def _recomputed(
    base: Path, blobs: FetchedBlobs, asked: AttributeRequest
) -> tuple[AttributeResult, dict[int, tuple[bytes, ...]], list[str]]:
    async with own_worker(base, blobs) as worker:
        result = await worker.attribute(MODEL, asked)
        rows = await _rows(worker, asked)
    return result, rows, _children()


async def _rows(worker: OneWorker, asked: AttributeRequest) -> dict[int, tuple[bytes, ...]]:
    return dict((await worker.recheck(RowsRequest(asked.index_cid, asked.manifest_cid, 256, (3,)))).signs)


def _children() -> list[str]:
    """Workers that this process still has."""
    found = []
    for task in Path("/proc/self/task").iterdir():
        for child in (task / "children").read_text().split():
            command = Path(f"/proc/{child}/cmdline").read_bytes().replace(b"\0", b" ").decode()
            found += [command] if "-m inference_worker" in command else []
    return found


def test_without_a_base_it_says_what_to_do(tmp_path: Path) -> None:
    """SPEC 5.167"""
    blobs = FetchedBlobs(NOBODY, b"\1" * 32, tmp_path / "public")
    with pytest.raises(NotFound, match="--base"):
        own_worker(tmp_path / "absent", blobs)
