"""PEFT folders with seeded random adapters, made once, which every engine then reads in its own way."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file

from inference_worker.adapters.shape import PARENTS, BaseShape

RANK, ALPHA = 8, 16
# Large enough to change what the base says, small enough to leave it sensible.
_UP_DEVIATION = 0.02


def make_folders(root: Path, count: int, shape: BaseShape, fingerprint: str) -> list[Path]:
    """Folders of adapters 0 to count-1 under `root`, rank 8 on all seven linears; existing ones are kept."""
    return [_make(root / f"a{number}", number, shape, fingerprint) for number in range(count)]


def _make(folder: Path, number: int, shape: BaseShape, fingerprint: str) -> Path:
    manifest = folder / "manifest.json"
    if manifest.is_file():
        return folder
    folder.mkdir(parents=True, exist_ok=True)
    save_file(_tensors(number, shape), str(folder / "adapter_model.safetensors"), metadata={"format": "pt"})
    (folder / "adapter_config.json").write_text(json.dumps(_config()))
    # Written last, for it tells that the folder is whole.
    manifest.write_text(json.dumps({"base_fingerprint": fingerprint, "number": number}))
    return folder


def _tensors(number: int, shape: BaseShape) -> dict[str, torch.Tensor]:
    generator = torch.Generator().manual_seed(number)
    tensors = {}
    for layer in range(shape.layers):
        for module, parent in PARENTS.items():
            inputs, outputs = shape.dims(module)
            prefix = f"base_model.model.model.layers.{layer}.{parent}.{module}"
            down = torch.randn(RANK, inputs, generator=generator) / inputs**0.5
            up = torch.randn(outputs, RANK, generator=generator) * _UP_DEVIATION
            tensors[f"{prefix}.lora_A.weight"], tensors[f"{prefix}.lora_B.weight"] = down, up
    return tensors


def _config() -> dict[str, object]:
    return {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": RANK,
        "lora_alpha": ALPHA,
        "lora_dropout": 0.0,
        "bias": "none",
        "target_modules": list(PARENTS),
        "base_model_name_or_path": "base",
        "inference_mode": True,
    }
