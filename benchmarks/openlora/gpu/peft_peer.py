"""PEFT's mixed batch on the same device: the same sizes, random weights, registered layer by layer."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping
from typing import Any

import torch

from benchmarks.openlora.gpu.plan import BASE, ONE, Plan
from inference_worker.adapters.shape import PARENTS, BaseShape

_STEPS, _WARM = 10, 2
# Registration walks the model; a thousand adapters would take longer than everything else together.
_REGISTERING_SECONDS = 60.0


def measure(
    shape: BaseShape,
    device: torch.device,
    dtype: torch.dtype,
    rank: int,
    plan: Plan,
    say: Callable[[str], None],
) -> Mapping[str, dict[str, float]]:
    """Figures by case; raises ImportError where PEFT is not installed."""
    import peft

    model = _model(shape, device, dtype)
    found = {BASE: _decode(model, shape, device, plan, None)}
    config = peft.LoraConfig(r=rank, lora_alpha=rank, target_modules=list(PARENTS), init_lora_weights=False)
    with torch.device(device):
        model = peft.get_peft_model(model, config, adapter_name="a0").eval()
    found[ONE] = _decode(model, shape, device, plan, ["a0"] * plan.rows)
    say("PEFT: registering the others")
    began = time.monotonic()
    for number in range(1, plan.rows):
        if time.monotonic() - began > _REGISTERING_SECONDS:
            say(f"PEFT: {number} of {plan.rows} registered in {_REGISTERING_SECONDS:.0f} s; not run with all")
            return found
        _register(model, config, f"a{number}", device)
    names = [f"a{number}" for number in range(plan.rows)]
    found[f"{plan.rows} adapters, all distinct"] = _decode(model, shape, device, plan, names)
    return found


def _model(shape: BaseShape, device: torch.device, dtype: torch.dtype) -> Any:
    from transformers import LlamaConfig, LlamaForCausalLM

    config = LlamaConfig(
        vocab_size=shape.vocab,
        hidden_size=shape.hidden,
        intermediate_size=shape.intermediate,
        num_hidden_layers=shape.layers,
        num_attention_heads=shape.heads,
        num_key_value_heads=shape.kv_heads,
        head_dim=shape.head_dim,
        max_position_embeddings=shape.positions,
        tie_word_embeddings=shape.tied_head,
    )
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.device(device):
            return LlamaForCausalLM(config).eval()
    finally:
        torch.set_default_dtype(before)


def _register(model: Any, config: Any, name: str, device: torch.device) -> None:
    from peft.tuners.lora import LoraLayer

    model.peft_config[name] = config
    with torch.device(device):
        for module in model.base_model.model.modules():
            if isinstance(module, LoraLayer):
                module.update_layer(name, r=config.r, lora_alpha=config.lora_alpha, config=config)


@torch.inference_mode()
def _decode(
    model: Any, shape: BaseShape, device: torch.device, plan: Plan, names: list[str] | None
) -> dict[str, float]:
    from transformers import DynamicCache

    options = {} if names is None else {"adapter_names": names}
    cache = DynamicCache(config=model.config)
    # The prompt without adapters, which changes no step's time.
    ids = torch.randint(1, shape.vocab, (plan.rows, plan.context), device=device)
    none = {} if names is None else {"adapter_names": ["__base__"] * plan.rows}
    walls = []
    for step in range(_WARM + _STEPS + 1):
        began = time.perf_counter()
        given = none if step == 0 else options
        logits = model(input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1, **given).logits
        ids = logits[:, -1].argmax(-1, keepdim=True)
        ids.tolist()
        if step > _WARM:
            walls.append(time.perf_counter() - began)
    wall = statistics.median(walls)
    return {
        "tokens_per_second": plan.rows / wall,
        "gap_p50_ms": 1e3 * wall,
        "gap_p99_ms": 1e3 * max(walls),
    }
