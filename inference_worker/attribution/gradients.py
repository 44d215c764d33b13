"""Per-row gradients of LoRA weights, one forward and one backward pass for a whole batch.

Hooks on the base's linears add `s·B(Ax)` and keep x and the gradient δ of the output; then for each row
dA = s·(Bᵀδ)ᵀx and dB = s·δᵀ(Ax), which autograd would give row by row (a test says so). The base's weights
are never written. The system turn that all questions share is a constant here: its keys and values carry no
gradient, since what every row has in common cannot tell rows apart.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

import torch
from torch.nn.attention import SDPBackend, sdpa_kernel

from inference_worker.base.exchange import Exchange, KeyValues, prefix_states, token_losses
from inference_worker.errors import IndexCorrupt

PREFIX = "base_model.model."


@dataclass(frozen=True)
class LoraWeights:
    """One adapter by module path: A (rank, in) and B (out, rank), with the scale alpha/rank."""

    a: dict[str, torch.Tensor]
    b: dict[str, torch.Tensor]
    scale: float

    def modules(self) -> list[str]:
        """Paths of the adapted linears, sorted: the order of every flattened gradient."""
        return sorted(self.a)


def lora_weights(tensors: Mapping[str, torch.Tensor], scale: float) -> LoraWeights:
    """Adapter from tensors under PEFT's file names."""
    a, b = {}, {}
    for name, value in tensors.items():
        path = name.removeprefix(PREFIX)
        if path.endswith(".lora_A.weight"):
            a[path.removesuffix(".lora_A.weight")] = value.float()
        elif path.endswith(".lora_B.weight"):
            b[path.removesuffix(".lora_B.weight")] = value.float()
        else:
            raise IndexCorrupt("adapter tensor name", "lora_A or lora_B weight", name)
    if set(a) != set(b):
        raise IndexCorrupt("adapter pairs", sorted(a), sorted(b))
    return LoraWeights(a, b, scale)


@dataclass
class _Tap:
    """What one linear saw in the last pass."""

    path: str
    a: torch.Tensor
    b: torch.Tensor
    scale: float
    inputs: torch.Tensor | None = None
    delta: torch.Tensor | None = None


@dataclass
class LoraProbe:
    """Adapters stacked for one batch: row i of the batch runs under adapter i (one adapter serves any
    batch).

    `first_layer` is the lowest decoder layer whose weights are differentiated; below it only the forward
    runs.
    """

    model: Any
    adapters: Sequence[LoraWeights]
    first_layer: int = 0
    _taps: list[_Tap] = field(default_factory=list)

    def __post_init__(self) -> None:
        head = self.adapters[0]
        device = self.model.device
        for path in head.modules():
            a = torch.stack([w.a[path] for w in self.adapters]).to(device)
            b = torch.stack([w.b[path] for w in self.adapters]).to(device)
            self._taps.append(_Tap(path, a, b, head.scale))

    @contextmanager
    def active(self, window: slice = slice(None)) -> Iterator[None]:
        """Inside, the model answers with the adapters of `window` on; no graph is kept."""
        with self._hooked(False, window), torch.no_grad():
            yield

    def states(self, prefix: Sequence[int]) -> KeyValues:
        """Keys and values of the shared start under each adapter, without a graph."""
        with self.active():
            return prefix_states(self.model, prefix, len(self.adapters))

    def losses(self, exchanges: Sequence[Exchange], skip: int, states: KeyValues) -> list[torch.Tensor]:
        """-log p of each answer token (nats) for each row, no gradient."""
        with self.active():
            return token_losses(self.model, exchanges, skip, states)

    def gradients(
        self, exchanges: Sequence[Exchange], skip: int, states: KeyValues
    ) -> tuple[torch.Tensor, list[torch.Tensor]]:
        """(rows, parameters) gradients of each row's mean answer loss, and the losses by token."""
        with self._hooked(True), sdpa_kernel(SDPBackend.MATH):
            losses = token_losses(self.model, exchanges, skip, states)
            torch.stack([loss.mean() for loss in losses]).sum().backward()  # type: ignore[no-untyped-call]
        flat = torch.cat([part for tap in self._tracked() for part in _row_gradients(tap)], dim=1)
        for tap in self._taps:
            tap.inputs = tap.delta = None
        return flat, [loss.detach() for loss in losses]

    def parameter_count(self) -> int:
        """Length of one flattened gradient."""
        return sum(tap.a[0].numel() + tap.b[0].numel() for tap in self._tracked())

    def tracked_names(self) -> list[str]:
        """Adapter tensor names in the order of a flattened gradient."""
        return [f"{PREFIX}{tap.path}.lora_{part}.weight" for tap in self._tracked() for part in "AB"]

    def _tracked(self) -> list[_Tap]:
        return [tap for tap in self._taps if layer_of(tap.path) >= self.first_layer]

    @contextmanager
    def _hooked(self, track: bool, window: slice = slice(None)) -> Iterator[None]:
        with ExitStack() as stack:
            for tap in self._taps:
                module = self.model.get_submodule(tap.path)
                keep = track and layer_of(tap.path) >= self.first_layer
                stack.callback(module.register_forward_hook(_lora_hook(tap, keep, window)).remove)
            if track:
                layer = self.model.get_decoder().layers[self.first_layer]
                stack.callback(layer.register_forward_pre_hook(_start_graph, with_kwargs=True).remove)
            yield


def layer_of(path: str) -> int:
    """The decoder layer that a module's path lies in."""
    return next(int(part) for part in path.split(".") if part.isdigit())


def _start_graph(_module: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> tuple[Any, dict[str, Any]]:
    # The base is frozen, so a graph exists only if some activation asks for one.
    if args:
        return (args[0].detach().requires_grad_(True), *args[1:]), kwargs
    return args, {**kwargs, "hidden_states": kwargs["hidden_states"].detach().requires_grad_(True)}


def _lora_hook(tap: _Tap, keep: bool, window: slice) -> Any:
    down, up = tap.a[window].transpose(1, 2), tap.b[window].transpose(1, 2)

    def hook(_module: Any, args: tuple[torch.Tensor, ...], output: torch.Tensor) -> torch.Tensor:
        inputs = args[0]
        output = output + tap.scale * torch.matmul(torch.matmul(inputs, down), up)
        if keep:
            tap.inputs = inputs.detach()
            output.register_hook(lambda delta: setattr(tap, "delta", delta))  # type: ignore[no-untyped-call]
        return output

    return hook


def _row_gradients(tap: _Tap) -> tuple[torch.Tensor, torch.Tensor]:
    """Flattened dA and dB per row."""
    if tap.inputs is None or tap.delta is None:
        raise IndexCorrupt("gradient of", tap.path, "no backward pass reached it")
    delta = tap.scale * tap.delta
    back = torch.matmul(delta, tap.b)
    low = torch.matmul(tap.inputs, tap.a.transpose(1, 2))
    grad_a = torch.matmul(back.transpose(1, 2), tap.inputs)
    grad_b = torch.matmul(delta.transpose(1, 2), low)
    return grad_a.flatten(1), grad_b.flatten(1)
