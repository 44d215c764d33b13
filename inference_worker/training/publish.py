"""Put a trained adapter into the content-addressed store as a bundle in PEFT's own file layout."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from safetensors.torch import save

from inference_worker.blobs.node_blobs import Blobs, cid_of
from inference_worker.training.recipe import Recipe
from protocol.canonical import canonical_json
from protocol.hashing import sha256, to_hex
from protocol.validity import ValidityReport, encode_validity

VALIDITY_FILE = "validity.json"


@dataclass(frozen=True)
class BundleFacts:
    """What ties an adapter to its base, data, recipe, attribution index and validity report (None: none was
    made). Digests are 0x-hex.
    """

    base_name: str
    base_fingerprint: str
    tokenizer_digest: str
    manifest_cid: str
    index_cid: str
    recipe: Recipe
    validity: ValidityReport | None = None


def bundle_files(adapter: Mapping[str, torch.Tensor], card: str, facts: BundleFacts) -> dict[str, bytes]:
    """The bundle's files by name; equal inputs give equal bytes."""
    weights = weights_file(adapter)
    report = {} if facts.validity is None else {VALIDITY_FILE: encode_validity(facts.validity)}
    return {
        **report,
        "README.md": card.encode(),
        "adapter_config.json": canonical_json(peft_config(facts.recipe, facts.base_name)),
        "adapter_model.safetensors": weights,
        "manifest.json": canonical_json(
            {
                "v": 1,
                "base_name": facts.base_name,
                "base_fingerprint": facts.base_fingerprint,
                "tokenizer_digest": facts.tokenizer_digest,
                "dataset_manifest_cid": facts.manifest_cid,
                "index_cid": facts.index_cid,
                "recipe": facts.recipe.to_json(),
                "recipe_digest": facts.recipe.digest(),
                "adapter_sha256": to_hex(sha256(weights)),
                **_named(facts.validity),
            }
        ),
    }


def weights_file(adapter: Mapping[str, torch.Tensor]) -> bytes:
    """`adapter_model.safetensors`."""
    data: bytes = save({name: adapter[name] for name in sorted(adapter)}, metadata={"format": "pt"})
    return data


def _named(validity: ValidityReport | None) -> dict[str, object]:
    """How the bundle's manifest names its report."""
    if validity is None:
        return {}
    return {
        "validity_cid": cid_of(encode_validity(validity)),
        "kappa_ppm": validity.shrinkage.kappa_ppm,
    }


def peft_config(recipe: Recipe, base_name: str) -> dict[str, Any]:
    """`adapter_config.json` as PEFT reads it; keys left out have PEFT's defaults."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "base_model_name_or_path": base_name,
        "inference_mode": True,
        "r": recipe.rank,
        "lora_alpha": recipe.alpha,
        "lora_dropout": 0,
        "bias": "none",
        "fan_in_fan_out": False,
        "use_rslora": False,
        "use_dora": False,
        "target_modules": list(recipe.target_modules),
    }


def publish_bundle(blobs: Blobs, files: Mapping[str, bytes]) -> str:
    """Store the files and their listing; returns the listing's CID, which is the bundle's."""
    listing = [
        {"name": name, "cid": blobs.put(files[name]), "size": len(files[name])} for name in sorted(files)
    ]
    return blobs.put(canonical_json({"files": listing}))
