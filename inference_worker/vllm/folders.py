"""Writes what vLLM may read of an adapter: the checked numbers, as a plain PEFT folder named by content id.

Nothing of the tenant's own files reaches vLLM. Scales are folded in and ranks padded, so that the config
says r = alpha; modules that an adapter lacks are zero, which adds nothing.
"""

from __future__ import annotations

import json
import shutil
from dataclasses import fields
from pathlib import Path

import torch
from safetensors.torch import save_file

from inference_worker.adapters.ingest import CONFIG_FILE, WEIGHTS_FILE
from inference_worker.adapters.packing import Layout, PackedAdapter, matrices_by_group, slices_of
from inference_worker.adapters.refusals import AdapterRefused
from inference_worker.adapters.shape import GROUPS, PARENTS, BaseShape

ZERO_RANK = 8


class NotForVllm(AdapterRefused):
    """A sound adapter of a kind that vLLM does not compute, or computes otherwise."""

    code = "adapter_not_for_vllm"

    def __init__(self, cid: str, what: str) -> None:
        super().__init__(f"adapter {cid} has {what}, which this worker's vLLM does not serve")
        self.cid, self.what = cid, what


def check_adapter(packed: PackedAdapter, max_rank: int) -> None:
    """Raise NotForVllm for anything but plain fp32 LoRA of at most `max_rank`, padding included."""
    if packed.layout.dora:
        raise NotForVllm(packed.cid, "gains (DoRA)")
    # Whatever else an adapter may come to carry is refused here until it is written out as well.
    plain = PackedAdapter(packed.cid, packed.layout, packed.blob)
    for one in fields(packed):
        if getattr(packed, one.name) is not getattr(plain, one.name):
            raise NotForVllm(packed.cid, one.name)
    if packed.blob.dtype != torch.float32:
        raise NotForVllm(packed.cid, f"{packed.blob.dtype} weights")
    if packed.layout.rank > max_rank:
        raise NotForVllm(packed.cid, f"rank {packed.layout.rank}, above {max_rank}")


def zero_adapter(cid: str, shape: BaseShape) -> PackedAdapter:
    """The adapter that changes nothing, for rows of the base alone."""
    layout = Layout(ZERO_RANK, tuple(range(len(GROUPS))))
    return PackedAdapter(cid, layout, torch.zeros(slices_of(layout, shape)[1]))


def write_folder(folder: Path, packed: PackedAdapter, shape: BaseShape) -> None:
    """Write a checked adapter, readable by this user alone; raises OSError with nothing left of it."""
    folder.mkdir(mode=0o700)
    try:
        save_file(tensors_of(packed, shape), str(folder / WEIGHTS_FILE), metadata={"format": "pt"})
        (folder / CONFIG_FILE).write_text(json.dumps(config_of(packed.layout)), encoding="utf-8")
    except OSError:
        shutil.rmtree(folder, ignore_errors=True)
        raise


def config_of(layout: Layout) -> dict[str, object]:
    """PEFT's config of a packed adapter."""
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": layout.rank,
        "lora_alpha": layout.rank,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": [module for group in layout.groups for module in GROUPS[group]],
        "inference_mode": True,
    }


def tensors_of(packed: PackedAdapter, shape: BaseShape) -> dict[str, torch.Tensor]:
    """PEFT's tensors: lora_A (rank, inputs) and lora_B (outputs, rank) of each layer and module."""
    tensors = {}
    for group, over in matrices_by_group(packed.blob, packed.layout, shape).items():
        for member, module in enumerate(GROUPS[group]):
            for layer in range(shape.layers):
                name = f"base_model.model.model.layers.{layer}.{PARENTS[module]}.{module}"
                tensors[f"{name}.lora_A.weight"] = over.down[layer, member].clone()
                tensors[f"{name}.lora_B.weight"] = over.ups[member][layer].t().contiguous()
    return tensors
