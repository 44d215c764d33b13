"""LoRA by PEFT on a loaded base: attach with seeded weights, read and write the adapter's tensors."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from peft import LoraConfig, get_peft_model, get_peft_model_state_dict

from inference_worker.training.recipe import Recipe


def attach(model: Any, recipe: Recipe, layers: Sequence[int] | None = None) -> Any:
    """The base wrapped by PEFT, LoRA on every linear of the recipe (of the given layers), A seeded and B
    zero; only LoRA trains.
    """
    torch.manual_seed(recipe.seed)
    config = LoraConfig(
        r=recipe.rank,
        lora_alpha=recipe.alpha,
        lora_dropout=0.0,
        bias="none",
        target_modules=list(recipe.target_modules),
        layers_to_transform=None if layers is None else list(layers),
        task_type="CAUSAL_LM",
        base_model_name_or_path=None,
    )
    wrapped = get_peft_model(model, config)
    wrapped.train()
    return wrapped


def trainable(wrapped: Any) -> dict[str, torch.nn.Parameter]:
    """LoRA parameters by their name in PEFT's own files, sorted."""
    found = {
        name.replace(".default.", "."): parameter
        for name, parameter in wrapped.named_parameters()
        if parameter.requires_grad
    }
    return dict(sorted(found.items()))


def adapter_tensors(wrapped: Any) -> dict[str, torch.Tensor]:
    """A copy of the adapter on the CPU, under PEFT's file names."""
    state = get_peft_model_state_dict(wrapped)
    return {name: state[name].detach().to("cpu", copy=True).contiguous() for name in sorted(state)}


def load_tensors(parameters: Mapping[str, torch.nn.Parameter], tensors: Mapping[str, torch.Tensor]) -> None:
    """Write saved values into the live parameters; names and shapes must agree."""
    with torch.no_grad():
        for name, parameter in parameters.items():
            parameter.copy_(tensors[name])
