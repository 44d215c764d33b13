"""A random adapter on every linear of a base, for tests of arithmetic."""

from typing import Any

import torch

from inference_worker.attribution.gradients import LoraWeights
from inference_worker.training.recipe import LINEARS


def random_adapter(model: Any, rank: int = 4, scale: float = 2.0, seed: int = 0) -> LoraWeights:
    generator = torch.Generator().manual_seed(seed)
    a, b = {}, {}
    for path, module in model.named_modules():
        if path.rsplit(".", 1)[-1] in LINEARS:
            outputs, inputs = module.weight.shape
            a[path] = torch.randn(rank, inputs, generator=generator) / inputs**0.5
            b[path] = torch.randn(outputs, rank, generator=generator) * 0.1
    return LoraWeights(a, b, scale)
