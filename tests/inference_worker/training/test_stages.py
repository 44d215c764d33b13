from pathlib import Path

import pytest

from inference_worker.base.load import Base, load_base
from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.errors import JobCancelled
from inference_worker.training.job_folder import JobFolder
from inference_worker.training.progress import JobProgress, Phase
from inference_worker.training.run import run_job, train
from inference_worker.training.stages import index_folder
from protocol.index_listing import decode_listing
from protocol.wire_jobs import JobStatus
from tests.inference_worker.blob_server import TOKEN, BlobServer
from tests.inference_worker.training.test_jobs import CODES, publish, spec

RECIPE = {"rank": 4, "alpha": 8, "passes": 2, "batch": 4, "learning_rate": "0.01", "checkpoints": 2}


class Watched(JobFolder):
    """Keeps every status, and is asked to stop when the index has come so far."""

    def __init__(self, path: Path, stop_at: int) -> None:
        super().__init__(path)
        self.seen: list[JobStatus] = []
        self.stop_at = stop_at

    def write(self, status: JobStatus) -> None:
        super().write(status)
        self.seen.append(status)
        if status.phase == "index" and status.step == self.stop_at:
            self.cancel()


def job(node: BlobServer, base: Base, folder: Path, stop_at: int = -1) -> Watched:
    made = Watched(folder, stop_at)
    made.create(spec(node, base, publish(node), recipe=RECIPE, held_out_cid=None))
    return made


@pytest.mark.slow
def test_a_cancelled_index_says_its_cost_stops_and_goes_on(
    node: BlobServer, tiny_base_dir: Path, tiny_base: Base, tmp_path: Path
) -> None:
    """SPEC 5.128, 5.129: the same order again gives the index of a job that nobody stopped."""
    blobs = NodeBlobs(node.socket, TOKEN)
    stopped = job(node, tiny_base, tmp_path / "stopped", stop_at=5)
    with pytest.raises(JobCancelled):
        train(stopped, stopped.spec(), blobs, load_base(tiny_base_dir, verify=False))
    assert stopped.seen[-1].phase == "index" and stopped.seen[-1].step == 5
    said = [status.message for status in stopped.seen if status.phase == "index"]
    assert all(text.startswith(f"index of {len(CODES)} rows: ") for text in said) and " MB on disk" in said[0]
    assert ", about " in said[0] and stopped.seen[-1].step > 0
    (stopped.path / "cancel").unlink()
    stopped.stop_at = -1
    again = train(stopped, stopped.spec(), blobs, load_base(tiny_base_dir, verify=False))

    whole = job(node, tiny_base, tmp_path / "whole")
    run_job(JobFolder(whole.path), blobs, tiny_base_dir)
    result = whole.status().result
    assert result is not None and result["index_cid"] == again["index_cid"]
    assert not index_folder(whole).exists() and index_folder(stopped).exists()
    assert decode_listing(blobs.get(str(result["index_cid"]))).rows == len(CODES)


def test_a_phase_takes_what_the_pace_so_far_says(tmp_path: Path, node: BlobServer, tiny_base: Base) -> None:
    """SPEC 5.129"""
    now = 100.0
    phases = (Phase("training", 10, 1.0), Phase("index", 40, 0.5))
    progress = JobProgress(job(node, tiny_base, tmp_path), phases, clock=lambda: now)
    assert progress.seconds_of("index") is None
    progress.report("training", 4)
    assert progress.seconds_of("index") is None
    now = 112.0
    progress.report("training", 10)
    assert progress.seconds_of("index") == 40.0
