"""A published version of a dozen rows with its held-out questions, and orders to train on it."""

from inference_worker.base.load import Base
from protocol.canonical import canonical_json
from protocol.manifest import Row
from protocol.wire_jobs import JobSpec
from tests.inference_worker.blob_server import BlobServer

CODES = ["A10", "A11", "B20", "B21", "C30", "C31", "D40", "D41", "E50", "E51", "F60", "F61"]
RECIPE = {
    "rank": 4,
    "alpha": 8,
    "passes": 2,
    "batch": 4,
    "learning_rate": "0.01",
    "checkpoints": 2,
    "validity_contributors": 2,
    "validity_passes": 1,
}


def qa(place: int) -> Row:
    return Row(
        "qa", f"Description: thing number {place} of kind {CODES[place][0]}\nCode:", f" {CODES[place]}", {}
    )


def publish(node: BlobServer) -> str:
    owners = ["0x" + f"{place % 3 + 1:040x}" for place in range(len(CODES))]
    rows: list[tuple[Row, str, int | None]] = [
        (qa(place), owners[place], None) for place in range(len(CODES))
    ]
    copy = Row("qa", qa(0).prompt.upper(), qa(0).completion, {})
    return node.publish([*rows, (copy, "0x" + "99" * 20, 0)], gated={1: b"\x05" * 32})


def held_out(node: BlobServer) -> str:
    asked = [
        {"prompt": qa(p).prompt.replace("thing", "item"), "completion": qa(p).completion} for p in range(4)
    ]
    return node.put(canonical_json({"v": 1, "questions": asked}))


def spec(node: BlobServer, base: Base, manifest: str, **changes: object) -> JobSpec:
    values: dict[str, object] = {
        "job_id": "job-1",
        "fence": 1,
        "kind": "training",
        "manifest_cid": manifest,
        "base_fingerprint": base.fingerprint,
        "recipe": RECIPE,
        "held_out_cid": held_out(node),
    }
    return JobSpec(**{**values, **changes})  # type: ignore[arg-type]
