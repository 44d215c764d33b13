"""Adapter folders written by PEFT itself, every tensor of them random."""

import torch
from peft import LoraConfig, get_peft_model
from transformers import LlamaForCausalLM

from tests.inference_worker.adapters.peft_folders import ALL_MODULES, manifest


def saved_by_peft(base_folder, folder, seed=1, rank=8, alpha=16, modules=ALL_MODULES, **options):
    """The files of a bundle as PEFT saves them, with our manifest."""
    config = LoraConfig(
        r=rank, lora_alpha=alpha, target_modules=list(modules), task_type="CAUSAL_LM", **options
    )
    model = get_peft_model(LlamaForCausalLM.from_pretrained(base_folder), config)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, tensor in model.named_parameters():
            if "lora_A" in name:
                tensor.copy_(torch.randn(tensor.shape, generator=generator) / tensor.shape[1] ** 0.5)
            if "lora_B" in name:
                tensor.copy_(torch.randn(tensor.shape, generator=generator) * 0.3)
            if "lora_magnitude" in name:
                tensor.mul_(0.7 + 0.6 * torch.rand(tensor.shape, generator=generator))
    model.save_pretrained(folder)
    named = {
        name: (folder / name).read_bytes() for name in ("adapter_config.json", "adapter_model.safetensors")
    }
    return {**named, "manifest.json": manifest()}
