"""The dimensions of a base, as far as an adapter must fit them, and the names of its linear modules.

Torch-free. Refuses any base that is not a plain Llama (no biases, silu, default rotary embedding).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

# Modules that share an input are fused in this order; the engine computes one product per group.
GROUPS: tuple[tuple[str, ...], ...] = (
    ("q_proj", "k_proj", "v_proj"),
    ("o_proj",),
    ("gate_proj", "up_proj"),
    ("down_proj",),
)
PARENTS = {
    "q_proj": "self_attn",
    "k_proj": "self_attn",
    "v_proj": "self_attn",
    "o_proj": "self_attn",
    "gate_proj": "mlp",
    "up_proj": "mlp",
    "down_proj": "mlp",
}
_PLAIN = {"model_type": "llama", "attention_bias": False, "mlp_bias": False, "hidden_act": "silu"}


class BaseUnsupported(Exception):
    """The base's architecture is not the one the engine computes."""

    def __init__(self, key: str, expected: object, actual: object) -> None:
        super().__init__(f"base config {key}: expected {expected!r}, got {actual!r}")
        self.key, self.expected, self.actual = key, expected, actual


@dataclass(frozen=True)
class BaseShape:
    """Sizes of a Llama base; `rope_theta` and `eps` are the only floats."""

    layers: int
    hidden: int
    intermediate: int
    heads: int
    kv_heads: int
    head_dim: int
    vocab: int
    positions: int
    rope_theta: float
    eps: float
    tied_head: bool

    def dims(self, module: str) -> tuple[int, int]:
        """(inputs, outputs) of a linear module."""
        q, kv = self.heads * self.head_dim, self.kv_heads * self.head_dim
        return {
            "q_proj": (self.hidden, q),
            "k_proj": (self.hidden, kv),
            "v_proj": (self.hidden, kv),
            "o_proj": (q, self.hidden),
            "gate_proj": (self.hidden, self.intermediate),
            "up_proj": (self.hidden, self.intermediate),
            "down_proj": (self.intermediate, self.hidden),
        }[module]


def shape_of(config: Mapping[str, Any]) -> BaseShape:
    """Read a Hugging Face `config.json`; raises BaseUnsupported for anything but a plain Llama."""
    for key, expected in _PLAIN.items():
        if config.get(key, expected) != expected:
            raise BaseUnsupported(key, expected, config[key])
    rope = config.get("rope_parameters") or config.get("rope_scaling") or {}
    kind = rope.get("rope_type", "default")
    if kind != "default":
        raise BaseUnsupported("rope_type", "default", kind)
    heads, hidden = int(config["num_attention_heads"]), int(config["hidden_size"])
    return BaseShape(
        layers=int(config["num_hidden_layers"]),
        hidden=hidden,
        intermediate=int(config["intermediate_size"]),
        heads=heads,
        kv_heads=int(config.get("num_key_value_heads") or heads),
        head_dim=int(config.get("head_dim") or hidden // heads),
        vocab=int(config["vocab_size"]),
        positions=int(config["max_position_embeddings"]),
        rope_theta=float(rope.get("rope_theta", config.get("rope_theta", 10_000.0))),
        eps=float(config["rms_norm_eps"]),
        tied_head=bool(config.get("tie_word_embeddings", False)),
    )
