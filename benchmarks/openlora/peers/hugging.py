"""transformers, and PEFT's mixed batch where adapters are registered."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
import transformers
from transformers import AutoModelForCausalLM, DynamicCache

from benchmarks.openlora.case import Case, Sample, prompts
from benchmarks.openlora.window import WARM_TOKENS, Window


class Hugging:
    """A model, with adapters a0, a1 and so on if `registered` is above 0."""

    def __init__(self, model: Any, registered: int, versions: Mapping[str, object]) -> None:
        self._model, self._registered, self._versions = model, registered, versions

    def facts(self) -> Mapping[str, object]:
        """Versions and how many adapters are registered."""
        return {**self._versions, "registered": self._registered, "dtype": "float32"}

    @torch.inference_mode()
    def measure(self, case: Case) -> Sample:
        """Greedy decoding of the whole batch; prompts of one length need no padding."""
        named = self._registered or case.distinct
        options = {"adapter_names": [_name(a) for a in case.adapters]} if named else {}
        window, cache = Window(case.rows, case.steps), DynamicCache(config=self._model.config)
        ids = torch.tensor(prompts(case.rows))
        for _ in range(WARM_TOKENS + case.steps):
            logits = self._model(
                input_ids=ids, past_key_values=cache, use_cache=True, logits_to_keep=1, **options
            ).logits
            ids = logits[:, -1].argmax(-1, keepdim=True)
            for row, token in enumerate(ids[:, 0].tolist()):
                window.saw(row, token)
        return window.sample()


def _name(adapter: int | None) -> str:
    # PEFT's own name for a row without an adapter.
    return "__base__" if adapter is None else f"a{adapter}"


def build(options: Mapping[str, Any]) -> Hugging:
    """`registered` adapters from `folders`, in turn where there are fewer folders."""
    torch.set_num_threads(1)
    torch.set_grad_enabled(False)
    versions: dict[str, object] = {"torch": torch.__version__, "transformers": transformers.__version__}
    model: Any = AutoModelForCausalLM.from_pretrained(options["base"], dtype=torch.float32).eval()
    folders, registered = [Path(f) for f in options["folders"]], int(options["registered"])
    if not registered:
        return Hugging(model, 0, versions)
    import peft

    model = peft.PeftModel.from_pretrained(model, str(folders[0]), adapter_name="a0", low_cpu_mem_usage=True)
    for number in range(1, registered):
        _register(model, f"a{number}", folders[number % len(folders)])
    return Hugging(model.eval(), registered, versions | {"peft": peft.__version__})


def _register(model: Any, name: str, folder: Path) -> None:
    """What `load_adapter` leaves behind, layer by layer: it walks the whole model for every adapter, so that
    the 256th would take seconds and all of them most of an hour."""
    from peft import LoraConfig
    from peft.tuners.lora import LoraLayer
    from safetensors.torch import load_file

    described = json.loads((folder / "adapter_config.json").read_text())
    config = LoraConfig(**{k: v for k, v in described.items() if k not in {"peft_type"}})
    tensors = load_file(str(folder / "adapter_model.safetensors"))
    model.peft_config[name] = config
    for path, layer in model.base_model.model.named_modules():
        if isinstance(layer, LoraLayer):
            with torch.device("meta"):
                layer.update_layer(name, r=config.r, lora_alpha=config.lora_alpha, config=config)
            prefix = f"base_model.model.{path}"
            for side, store in (("lora_A", layer.lora_A), ("lora_B", layer.lora_B)):
                store[name].weight = torch.nn.Parameter(
                    tensors[f"{prefix}.{side}.weight"].clone(), requires_grad=False
                )
