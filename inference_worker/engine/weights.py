"""Reads the base's weights from its safetensors file and prepares the fused, packed products.

Each weight is packed as it is read, so that the peak is one copy of the model plus one matrix.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from inference_worker.adapters.shape import GROUPS, PARENTS, BaseShape, shape_of
from inference_worker.engine.linear import Linear

CONFIG_FILE = "config.json"
WEIGHTS_FILE = "model.safetensors"


@dataclass(frozen=True)
class LayerWeights:
    """One layer: the two norm gains and the four fused products in the order of GROUPS."""

    attention_norm: torch.Tensor
    mlp_norm: torch.Tensor
    products: tuple[Linear, ...]


@dataclass(frozen=True)
class BaseWeights:
    """All of a base that the forward pass needs; `embedding` is (vocab, hidden)."""

    shape: BaseShape
    embedding: torch.Tensor
    layers: tuple[LayerWeights, ...]
    final_norm: torch.Tensor
    head: Linear


def read_shape(folder: Path) -> BaseShape:
    """The dimensions named by the folder's config; raises BaseUnsupported."""
    return shape_of(json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")))


def read_weights(folder: Path, linear: Callable[[torch.Tensor], Linear]) -> BaseWeights:
    """Load and pack the base in `folder`, fp32."""
    shape = read_shape(folder)
    with safe_open(str(folder / WEIGHTS_FILE), framework="pt") as file:

        def tensor(name: str) -> torch.Tensor:
            value: torch.Tensor = file.get_tensor(name)
            return value.to(torch.float32)

        def layer(index: int) -> LayerWeights:
            prefix = f"model.layers.{index}"
            fused = (
                torch.cat([tensor(f"{prefix}.{PARENTS[m]}.{m}.weight") for m in modules])
                for modules in GROUPS
            )
            return LayerWeights(
                tensor(f"{prefix}.input_layernorm.weight"),
                tensor(f"{prefix}.post_attention_layernorm.weight"),
                tuple(linear(weight) for weight in fused),
            )

        embedding = tensor("model.embed_tokens.weight")
        head = embedding if shape.tied_head else tensor("lm_head.weight")
        return BaseWeights(
            shape,
            embedding,
            tuple(layer(i) for i in range(shape.layers)),
            tensor("model.norm.weight"),
            linear(head),
        )
