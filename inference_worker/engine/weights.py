"""Reads the base's weights from its safetensors file and prepares the fused, packed products.

Each weight is packed as it is read, so that the peak is one copy of the model plus one matrix. The same holds
for a base in fewer bits: it is rounded here, never on disk.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import torch
from safetensors import safe_open

from inference_worker.adapters.shape import GROUPS, PARENTS, BaseShape, shape_of
from inference_worker.engine.base_dtype import BaseKernel, Table, fp32_kernel
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
    """All of a base that the forward pass needs; `embedding` is (vocab, hidden), `nbytes` what all of it
    takes."""

    shape: BaseShape
    embedding: Table
    layers: tuple[LayerWeights, ...]
    final_norm: torch.Tensor
    head: Linear
    nbytes: int


def read_shape(folder: Path) -> BaseShape:
    """The dimensions named by the folder's config; raises BaseUnsupported."""
    return shape_of(json.loads((folder / CONFIG_FILE).read_text(encoding="utf-8")))


def read_weights(folder: Path, linear: Callable[[torch.Tensor], Linear]) -> BaseWeights:
    """Load and pack the base in `folder`, fp32."""
    return read_base(folder, fp32_kernel("given", linear))


def read_base(folder: Path, kernel: BaseKernel, device: torch.device | str = "cpu") -> BaseWeights:
    """Load the base in `folder` and hold it on a device as the kernel does."""
    shape = read_shape(folder)
    with safe_open(str(folder / WEIGHTS_FILE), framework="pt") as file:

        def tensor(name: str) -> torch.Tensor:
            value: torch.Tensor = file.get_tensor(name)
            return value.to(device, torch.float32)

        def layer(index: int) -> LayerWeights:
            prefix = f"model.layers.{index}"
            fused = (
                torch.cat([tensor(f"{prefix}.{PARENTS[m]}.{m}.weight") for m in modules])
                for modules in GROUPS
            )
            return LayerWeights(
                tensor(f"{prefix}.input_layernorm.weight"),
                tensor(f"{prefix}.post_attention_layernorm.weight"),
                tuple(kernel.linear(weight) for weight in fused),
            )

        head = None if shape.tied_head else tensor("lm_head.weight")
        ends = kernel.ends(tensor("model.embed_tokens.weight"), head)
        layers = tuple(layer(i) for i in range(shape.layers))
        norm = tensor("model.norm.weight")
    held = [*ends.held, norm, *(t for one in layers for t in _held_by(one))]
    return BaseWeights(shape, ends.embedding, layers, norm, ends.head, sum(t.nbytes for t in held))


def _held_by(layer: LayerWeights) -> tuple[torch.Tensor, ...]:
    products = (tensor for product in layer.products for tensor in product.held)
    return (layer.attention_norm, layer.mlp_norm, *products)
