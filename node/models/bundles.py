"""The last look at a bundle before it is registered or served: its config and its weights, without tensors.

The worker judges again, against the base it holds. This node must not register, nor hand to a worker, what no
worker could accept.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from node.blobs.store import BlobStore
from node.training.bundle import (
    CARD_FILE,
    CONFIG_FILE,
    MAX_TEXT_BYTES,
    WEIGHTS_FILE,
    BadBundle,
    Bundle,
    file_bytes,
    read_bundle,
    read_validity,
)
from protocol.canonical import parse_json
from protocol.cid import Cid
from protocol.errors import ProtocolError
from protocol.hashing import sha256, to_hex
from protocol.tensor_file import TensorEntry, read_tensor_file

LORA_NAMES = (".lora_A.weight", ".lora_B.weight")
MAX_RANK = 64
MAX_HEADER_BYTES = 4 << 20
MAX_TENSORS = 4096


@dataclass(frozen=True)
class CheckedBundle:
    """A bundle fit to be served, with its tensors by name, its LoRA rank, and whether tokens invoke it."""

    bundle: Bundle
    tensors: tuple[TensorEntry, ...]
    rank: int
    invoked: bool = False

    @property
    def widest(self) -> int:
        """The largest rank of any of its pairs."""
        return max(entry.shape[0] for entry in self.tensors if entry.name.endswith(LORA_NAMES[0]))


def verify_bundle(blobs: BlobStore, cid: Cid) -> CheckedBundle:
    """Check every file of a bundle. Raises NotFound where bytes are missing, else BadBundle."""
    bundle = read_bundle(blobs, cid)
    config = _config_in(file_bytes(blobs, bundle.files[CONFIG_FILE]))
    rank = _rank_in(config)
    file_bytes(blobs, bundle.files[CARD_FILE])
    weights = file_bytes(blobs, bundle.files[WEIGHTS_FILE])
    claimed, actual = bundle.manifest.adapter_sha256, to_hex(sha256(weights))
    if actual != claimed:
        raise BadBundle(
            "weights are not the manifest's", claimed=bundle.manifest.adapter_sha256, actual=actual
        )
    tensors = _tensors_in(weights)
    _check_pairs(tensors, rank)
    read_validity(blobs, bundle)
    return CheckedBundle(bundle, tensors, rank, config.get("alora_invocation_tokens") is not None)


def _tensors_in(weights: bytes) -> tuple[TensorEntry, ...]:
    try:
        return read_tensor_file(weights, MAX_HEADER_BYTES, MAX_TENSORS)
    except ProtocolError as error:
        raise BadBundle(f"{WEIGHTS_FILE} is malformed", reason=str(error)) from error


def _config_in(config: bytes) -> dict[str, Any]:
    try:
        parsed = parse_json(config, MAX_TEXT_BYTES, 8)
    except ProtocolError as error:
        raise BadBundle(f"{CONFIG_FILE} is malformed", reason=str(error)) from error
    return parsed if isinstance(parsed, dict) else {}


def _rank_in(fields: Mapping[str, Any]) -> int:
    rank = fields.get("r")
    if fields.get("peft_type") != "LORA" or type(rank) is not int or not 1 <= rank <= MAX_RANK:
        raise BadBundle(
            "config is of no LoRA that is served", peft_type=str(fields.get("peft_type")), r=str(rank)
        )
    return rank


def _check_pairs(tensors: tuple[TensorEntry, ...], rank: int) -> None:
    shapes = {entry.name: entry.shape for entry in tensors}
    stems = {name.removesuffix(suffix) for name in shapes for suffix in LORA_NAMES if name.endswith(suffix)}
    expected = {stem + suffix for stem in stems for suffix in LORA_NAMES}
    if not stems or set(shapes) != expected:
        raise BadBundle("tensors are not LoRA pairs", odd=sorted(set(shapes) ^ expected)[:5])
    for stem in stems:
        down, up = (shapes[stem + suffix] for suffix in LORA_NAMES)
        if len(down) != 2 or len(up) != 2 or not down[0] == up[1] <= MAX_RANK or 0 in (*down, *up):
            raise BadBundle("a pair's shapes do not fit", name=stem[:80], down=down, up=up, rank=rank)
