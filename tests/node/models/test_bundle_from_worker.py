"""What the worker publishes, the node accepts: both know the bundle, and neither the other's code."""

import pytest

from node.blobs.store import BlobStore
from node.models.bundles import verify_bundle
from node.training.bundle import read_validity
from protocol.cid import cid_of_raw, parse_cid
from protocol.hashing import sha256, to_hex
from tests.protocol.validity_made import made_report

torch = pytest.importorskip("torch", reason="the worker's half needs torch")


class WorkerBlobs:
    """The worker's view of this node's store."""

    def __init__(self, blobs: BlobStore) -> None:
        self._blobs = blobs

    def put(self, data: bytes) -> str:
        return self._blobs.put(data).text


def test_the_workers_bundle_is_accepted(blobs: BlobStore) -> None:
    """SPEC 3.1, 5.232"""
    from inference_worker.training.publish import BundleFacts, bundle_files, publish_bundle, weights_file
    from inference_worker.training.recipe import parse_recipe

    recipe = parse_recipe({"rank": 4, "target_modules": ["q_proj"]})
    stem = "base_model.model.model.layers.0.self_attn.q_proj.lora_"
    adapter = {f"{stem}A.weight": torch.ones(4, 16), f"{stem}B.weight": torch.zeros(16, 4)}
    manifest, index = cid_of_raw(b"a dataset manifest"), cid_of_raw(b"an index")
    report = made_report(to_hex(sha256(weights_file(adapter))), manifest.text)
    facts = BundleFacts(
        "SmolLM2", "0x" + "ab" * 32, "0x" + "cd" * 32, manifest.text, index.text, recipe, report
    )
    cid = parse_cid(publish_bundle(WorkerBlobs(blobs), bundle_files(adapter, "# card", facts)))
    checked = verify_bundle(blobs, cid)
    assert {entry.name for entry in checked.tensors} == set(adapter) and checked.rank == 4
    assert checked.bundle.manifest.recipe_digest == recipe.digest()
    assert read_validity(blobs, checked.bundle) == report
