"""Real adapter bundles, small: LoRA pairs written by the safetensors library, and every file of a bundle."""

import json
from collections.abc import Mapping

import numpy as np
from safetensors.numpy import save

from node.blobs.store import BlobStore
from protocol.canonical import canonical_json
from protocol.cid import Cid, cid_of_raw
from protocol.hashing import sha256, to_hex
from protocol.validity import encode_validity
from tests.node.index_made import put_index
from tests.protocol.validity_made import made_report

ROWS = 400
BASE_FINGERPRINT = "0x" + "ab" * 32
TOKENIZER_DIGEST = "0x" + "cd" * 32
RECIPE: dict[str, object] = {
    "rank": 4,
    "alpha": 8,
    "learning_rate": "0.001",
    "target_modules": ["q_proj", "v_proj"],
}
PREFIX = "base_model.model.model.layers.0.self_attn"


def weights(rank: int = 4) -> bytes:
    """Two LoRA pairs of a 16-wide layer."""
    rng = np.random.default_rng(1)
    tensors = {}
    for module in ("q_proj", "v_proj"):
        tensors[f"{PREFIX}.{module}.lora_A.weight"] = rng.standard_normal((rank, 16)).astype(np.float32)
        tensors[f"{PREFIX}.{module}.lora_B.weight"] = rng.standard_normal((16, rank)).astype(np.float32)
    return save(tensors, metadata={"format": "pt"})


def bundle_files(
    manifest_cid: Cid, index_cid: Cid, changes: Mapping[str, object] | None = None
) -> dict[str, bytes]:
    """The four files; `changes` replaces fields of manifest.json."""
    data = weights()
    manifest = {
        "v": 1,
        "base_name": "SmolLM2-135M-Instruct",
        "base_fingerprint": BASE_FINGERPRINT,
        "tokenizer_digest": TOKENIZER_DIGEST,
        "dataset_manifest_cid": manifest_cid.text,
        "index_cid": index_cid.text,
        "recipe": RECIPE,
        "recipe_digest": to_hex(sha256(canonical_json(RECIPE))),
        "adapter_sha256": to_hex(sha256(data)),
    }
    return {
        "README.md": b"# An adapter",
        "adapter_config.json": canonical_json({"peft_type": "LORA", "r": 4, "lora_alpha": 8}),
        "adapter_model.safetensors": data,
        "manifest.json": canonical_json(manifest | dict(changes or {})),
    }


def with_report(files: Mapping[str, bytes], changes: Mapping[str, object] | None = None) -> dict[str, bytes]:
    """The same files with a validity report of this adapter, named in the manifest; `changes` replaces
    fields of the report.
    """
    manifest = json.loads(files["manifest.json"])
    report = made_report(manifest["adapter_sha256"], manifest["dataset_manifest_cid"])
    data = canonical_json(json.loads(encode_validity(report)) | dict(changes or {}))
    named = {"validity_cid": cid_of_raw(data).text, "kappa_ppm": report.shrinkage.kappa_ppm}
    return {**files, "validity.json": data, "manifest.json": canonical_json(manifest | named)}


def put_bundle(blobs: BlobStore, files: Mapping[str, bytes]) -> Cid:
    """Store files and their listing, as the worker does."""
    listing = [
        {"name": name, "cid": blobs.put(files[name]).text, "size": len(files[name])} for name in sorted(files)
    ]
    return blobs.put(canonical_json({"files": listing}))


def training_result(
    blobs: BlobStore, manifest_cid: Cid, changes: Mapping[str, object] | None = None
) -> dict[str, object]:
    """A worker's result with everything behind it stored."""
    index_cid = put_index(blobs, ROWS)
    bundle = put_bundle(blobs, bundle_files(manifest_cid, index_cid))
    result: dict[str, object] = {
        "bundle_cid": bundle.text,
        "index_cid": index_cid.text,
        "tokens_cid": blobs.put(b'{"v":1,"rows":[]}').text,
        "recipe_digest": to_hex(sha256(canonical_json(RECIPE))),
        "min_span_tokens": 9,
        "rows": ROWS,
        "seconds": 75,
        "evaluation": None,
    }
    return result | dict(changes or {})
