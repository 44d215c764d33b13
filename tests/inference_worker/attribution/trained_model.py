"""A tiny model trained for real and published, with the questions that its sources are asked of."""

from dataclasses import dataclass, replace
from pathlib import Path

from inference_worker.base.chat import render_answer, render_question
from inference_worker.base.load import Base, load_base
from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.training.job_folder import JobFolder
from inference_worker.training.run import train
from protocol.wire import AttributeRequest
from tests.inference_worker.blob_server import TOKEN, BlobServer
from tests.inference_worker.training.test_jobs import publish, qa, spec

RECIPE = {"rank": 4, "alpha": 8, "passes": 4, "batch": 4, "learning_rate": "0.01", "checkpoints": 2}


@dataclass(frozen=True)
class TrainedModel:
    """Where a trained model lies, and what tokenises its questions."""

    base_dir: Path
    node_socket: str
    token_file: Path
    manifest_cid: str
    result: dict[str, object]
    base: Base

    @property
    def blobs(self) -> NodeBlobs:
        return NodeBlobs(self.node_socket, TOKEN)

    def request(self, place: int = 0, **changes: object) -> AttributeRequest:
        """About the answer that the row at `place` was trained to give."""
        asked = AttributeRequest(
            request_id=f"r-{place}",
            fence=1,
            adapter_cid=str(self.result["bundle_cid"]),
            index_cid=str(self.result["index_cid"]),
            manifest_cid=self.manifest_cid,
            prompt_ids=tuple(render_question(self.base.tokenizer, qa(place).prompt)),
            output_ids=tuple(render_answer(self.base.tokenizer, qa(place).completion)),
            min_span_tokens=2,
        )
        return replace(asked, **changes)  # type: ignore[arg-type]


def trained_model(node: BlobServer, base_dir: Path, folder: Path) -> TrainedModel:
    """One training, published at `node`."""
    manifest, blobs = publish(node), NodeBlobs(node.socket, TOKEN)
    job = JobFolder(folder / "job")
    base = load_base(base_dir, verify=False)
    ordered = spec(node, base, manifest, recipe=RECIPE, held_out_cid=None)
    job.create(ordered)
    result = train(job, ordered, blobs, base)
    token_file = folder / "token"
    token_file.write_text(TOKEN + "\n")
    return TrainedModel(
        base_dir, node.socket, token_file, manifest, result, load_base(base_dir, verify=False)
    )
