"""Makes what the tests of adapters and engine need: a tiny Llama folder and PEFT adapter folders for it."""

import json
from dataclasses import dataclass, field

import torch
from safetensors.torch import save
from transformers import LlamaConfig, LlamaForCausalLM

from inference_worker.adapters.shape import PARENTS, BaseShape
from inference_worker.blobs.node_blobs import cid_of
from inference_worker.errors import BlobMissing, NodeUnreachable
from protocol.canonical import canonical_json

FINGERPRINT = "0x" + "ab" * 32
ALL_MODULES = tuple(PARENTS)
VOCAB = 260
END = 257


def tiny_config(tied=True):
    return LlamaConfig(
        vocab_size=VOCAB,
        hidden_size=64,
        intermediate_size=112,
        num_hidden_layers=3,
        num_attention_heads=4,
        num_key_value_heads=2,
        head_dim=16,
        max_position_embeddings=512,
        rms_norm_eps=1e-5,
        rope_parameters={"rope_type": "default", "rope_theta": 10000.0},
        tie_word_embeddings=tied,
        initializer_range=0.15,
        bos_token_id=256,
        eos_token_id=END,
    )


def write_base(folder, seed=0, tied=True):
    """A random base with logits spread widely enough that greedy choices are not ties."""
    torch.manual_seed(seed)
    LlamaForCausalLM(tiny_config(tied)).save_pretrained(str(folder))
    return folder


def shape():
    return BaseShape(3, 64, 112, 4, 2, 16, VOCAB, 512, 10000.0, 1e-5, True)


def config_dict(rank=8, alpha=16, modules=ALL_MODULES, **changes):
    base = {
        "peft_type": "LORA",
        "task_type": "CAUSAL_LM",
        "r": rank,
        "lora_alpha": alpha,
        "lora_dropout": 0.0,
        "bias": "none",
        "fan_in_fan_out": False,
        "inference_mode": True,
        "base_model_name_or_path": "tiny",
        "target_modules": list(modules),
        "modules_to_save": None,
        "rank_pattern": {},
        "alpha_pattern": {},
        "use_rslora": False,
        "use_dora": False,
        "layers_to_transform": None,
    }
    return {**base, **changes}


def tensor_name(layer, module, side):
    return f"base_model.model.model.layers.{layer}.{PARENTS[module]}.{module}.lora_{side}.weight"


def random_pairs(seed, rank, modules=ALL_MODULES, layers=range(3), rank_of=None, dims=None):
    generator = torch.Generator().manual_seed(seed)
    tensors = {}
    for layer in layers:
        for module in modules:
            inputs, outputs = (dims or shape().dims)(module)
            r = rank_of(layer, module) if rank_of else rank
            tensors[tensor_name(layer, module, "A")] = (
                torch.randn(r, inputs, generator=generator) / inputs**0.5
            )
            tensors[tensor_name(layer, module, "B")] = torch.randn(outputs, r, generator=generator) * 0.3
    return tensors


def manifest(fingerprint=FINGERPRINT):
    return canonical_json({"base_fingerprint": fingerprint, "tokenizer_digest": "0x" + "cd" * 32})


def files(tensors, config, fingerprint=FINGERPRINT):
    return {
        "adapter_config.json": json.dumps(config).encode(),
        "adapter_model.safetensors": save(tensors, metadata={"format": "pt"}),
        "README.md": b"# a test adapter\n",
        "manifest.json": manifest(fingerprint),
    }


def adapter_files(seed=1, rank=8, modules=ALL_MODULES, **changes):
    return files(random_pairs(seed, rank, modules), config_dict(rank, 2 * rank, modules, **changes))


@dataclass
class BlobShelf:
    """A content-addressed store in memory that counts fetches."""

    blobs: dict[str, bytes] = field(default_factory=dict)
    fetches: list[str] = field(default_factory=list)

    def put(self, data):
        cid = cid_of(data)
        self.blobs[cid] = data
        return cid

    def put_bundle(self, named):
        listing = [{"name": n, "cid": self.put(d), "size": len(d)} for n, d in sorted(named.items())]
        return self.put(canonical_json({"files": listing}))

    def fetch(self, cid, max_bytes, abort=None):
        self.fetches.append(cid)
        if cid not in self.blobs:
            raise BlobMissing(cid)
        if len(self.blobs[cid]) > max_bytes:
            raise NodeUnreachable(cid, f"longer than {max_bytes} bytes")
        return self.blobs[cid]
