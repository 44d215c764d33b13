"""The last layers of the base with LoRA on q and v: what the benchmark trains, as one plain torch module.

It begins from cached hidden states, so that a training takes seconds, and its output head keeps only some
rows of the base's. torch is all it needs: peers load it in environments of their own. A and B are
`nn.Linear`, which is where methods that watch linear layers hook in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

import torch
import torch.nn.functional as functional
from torch import nn

LINEARS = ("q", "k", "v", "o", "gate", "up", "down")
NOT_AN_ANSWER = -100


@dataclass(frozen=True)
class Geometry:
    """Shape of the base's attention, and of the adapter."""

    heads: int
    kv_heads: int
    theta: float
    epsilon: float
    rank: int
    alpha: int


class LoraLinear(nn.Module):
    """x to Wx + (alpha/rank)·B(Ax); W is frozen."""

    weight: torch.Tensor

    def __init__(self, weight: torch.Tensor, geometry: Geometry) -> None:
        super().__init__()
        outputs, inputs = weight.shape
        self.register_buffer("weight", weight)
        self.A = nn.Linear(inputs, geometry.rank, bias=False)
        self.B = nn.Linear(geometry.rank, outputs, bias=False)
        self.scale = geometry.alpha / geometry.rank

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """(…, inputs) to (…, outputs)."""
        low: torch.Tensor = self.B(self.A(x))
        return functional.linear(x, self.weight) + self.scale * low


class Block(nn.Module):
    """One decoder layer of the Llama kind, in two halves: `attend`, and `feed` for whichever places go on."""

    def __init__(self, base: Mapping[str, torch.Tensor], geometry: Geometry) -> None:
        super().__init__()
        self.geometry = geometry
        self.q, self.v = LoraLinear(base["q"], geometry), LoraLinear(base["v"], geometry)
        for name in (*LINEARS, "norm_1", "norm_2"):
            if name not in ("q", "v"):
                self.register_buffer(name, base[name])

    def attend(self, x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
        """(rows, tokens, width) to what attention gathered, before its output projection."""
        normed = rms_norm(x, self.get_buffer("norm_1"), self.geometry.epsilon)
        group = self.geometry.heads // self.geometry.kv_heads
        query = rotate(self._split(self.q(normed), self.geometry.heads), angles)
        key = rotate(
            self._split(functional.linear(normed, self.get_buffer("k")), self.geometry.kv_heads), angles
        )
        value = self._split(self.v(normed), self.geometry.kv_heads)
        gathered = functional.scaled_dot_product_attention(
            query, key.repeat_interleave(group, 1), value.repeat_interleave(group, 1), is_causal=True
        )
        return gathered.transpose(1, 2).flatten(2)

    def feed(self, x: torch.Tensor, gathered: torch.Tensor) -> torch.Tensor:
        """The rest of the layer, place by place."""
        x = x + functional.linear(gathered, self.get_buffer("o"))
        normed = rms_norm(x, self.get_buffer("norm_2"), self.geometry.epsilon)
        gate = functional.silu(functional.linear(normed, self.get_buffer("gate")))
        return x + functional.linear(
            gate * functional.linear(normed, self.get_buffer("up")), self.get_buffer("down")
        )

    def _split(self, x: torch.Tensor, heads: int) -> torch.Tensor:
        return x.unflatten(-1, (heads, -1)).transpose(1, 2)


class AdaptedTail(nn.Module):
    """`base` names its tensors `<layer>.<linear or norm>`, `norm` and `head`."""

    def __init__(self, base: Mapping[str, torch.Tensor], geometry: Geometry, seed: int = 0) -> None:
        super().__init__()
        self.geometry = geometry
        layers = sorted({name.split(".")[0] for name in base if "." in name}, key=int)
        self.blocks = nn.ModuleList(Block(_under(base, layer), geometry) for layer in layers)
        self.register_buffer("norm", base["norm"])
        self.register_buffer("head", base["head"])
        self.start(seed)

    def start(self, seed: int) -> None:
        """A as PEFT draws it, B zero: the adapter that changes nothing."""
        generator = torch.Generator().manual_seed(seed)
        for name, parameter in self.named_parameters():
            if ".A." in name:
                nn.init.kaiming_uniform_(parameter, a=math.sqrt(5), generator=generator)
            else:
                nn.init.zeros_(parameter)

    def forward(self, hidden: torch.Tensor) -> torch.Tensor:
        """(rows, tokens, width) cached states to logits at every place: for tools that trace or vmap."""
        x = self._below(hidden)
        last = self.blocks[-1]
        x = last.feed(x, last.attend(x, self._angles(x)))  # type: ignore[operator]
        return functional.linear(self._normed(x), self.get_buffer("head"))

    def answer_states(self, hidden: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Last normed states where `places` (rows, tokens) is true, row by row: the same numbers for less
        work.
        """
        x = self._below(hidden)
        last = self.blocks[-1]
        gathered = last.attend(x, self._angles(x))  # type: ignore[operator]
        return self._normed(last.feed(x[places], gathered[places]))  # type: ignore[operator]

    def answer_logits(self, hidden: torch.Tensor, places: torch.Tensor) -> torch.Tensor:
        """Logits where `places` is true."""
        return functional.linear(self.answer_states(hidden, places), self.get_buffer("head"))

    def _below(self, x: torch.Tensor) -> torch.Tensor:
        angles = self._angles(x)
        for block in self.blocks[:-1]:
            x = block.feed(x, block.attend(x, angles))  # type: ignore[operator]
        return x

    def _normed(self, x: torch.Tensor) -> torch.Tensor:
        return rms_norm(x, self.get_buffer("norm"), self.geometry.epsilon)

    def _angles(self, x: torch.Tensor) -> torch.Tensor:
        """(tokens, head width / 2) rotary angles."""
        width = x.shape[-1] // self.geometry.heads
        steps = self.geometry.theta ** (-torch.arange(0, width, 2, dtype=torch.float32) / width)
        return torch.outer(torch.arange(x.shape[-2], dtype=torch.float32), steps)


def row_losses(model: AdaptedTail, hidden: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """(rows,) mean -log p of each row's answer tokens, nats: the term that a row adds to the training loss.

    `targets` (rows, tokens) holds at each place the token that follows, NOT_AN_ANSWER where none counts.
    """
    places = targets != NOT_AN_ANSWER
    losses = functional.cross_entropy(model.answer_logits(hidden, places), targets[places], reduction="none")
    row = places.nonzero()[:, 0]
    return torch.zeros(len(hidden)).index_add(0, row, losses) / places.sum(1)


def rms_norm(x: torch.Tensor, weight: torch.Tensor, epsilon: float) -> torch.Tensor:
    """x over its root mean square, times the weight."""
    return weight * (x * torch.rsqrt(x.square().mean(-1, keepdim=True) + epsilon))


def rotate(x: torch.Tensor, angles: torch.Tensor) -> torch.Tensor:
    """Rotary positions on (rows, heads, tokens, head width): halves are pairs."""
    first, second = x.chunk(2, -1)
    cos, sin = angles.cos(), angles.sin()
    return torch.cat((first * cos - second * sin, second * cos + first * sin), -1)


def _under(base: Mapping[str, torch.Tensor], layer: str) -> dict[str, torch.Tensor]:
    return {name.split(".", 1)[1]: value for name, value in base.items() if name.startswith(layer + ".")}
