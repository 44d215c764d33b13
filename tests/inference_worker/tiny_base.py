"""A tiny random Llama with the real tokenizer: every code path of the worker in a fraction of a second."""

import json
import os
from pathlib import Path

import pytest
import torch
from transformers import LlamaConfig, LlamaForCausalLM

from inference_worker.base.convert import convert

REAL_BASE = Path(os.environ.get("OPENLEDGER_BASE", ".cache/base/smollm2-135m-instruct-fp32"))
TOKENIZER_FILES = ("tokenizer.json", "tokenizer_config.json", "chat_template.jinja")


def real_base_folder() -> Path:
    if not (REAL_BASE / "fingerprint.json").is_file():
        pytest.skip(f"no base model in {REAL_BASE}: make it with `python -m inference_worker.base.convert`")
    return REAL_BASE


def make_tiny_base(folder: Path, seed: int = 0) -> Path:
    """A base folder with 3 layers of width 48, made through `convert --source`."""
    source = folder / "source"
    torch.manual_seed(seed)
    config = LlamaConfig(
        hidden_size=48,
        intermediate_size=64,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        vocab_size=49152,
        bos_token_id=1,
        eos_token_id=2,
        pad_token_id=2,
        tie_word_embeddings=True,
        initializer_range=0.08,
    )
    LlamaForCausalLM(config).save_pretrained(source)
    for name in TOKENIZER_FILES:
        (source / name).write_bytes((real_base_folder() / name).read_bytes())
    convert(folder / "tiny", source=source)
    assert json.loads((folder / "tiny" / "fingerprint.json").read_text())["name"] == "source"
    return folder / "tiny"
