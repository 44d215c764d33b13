"""Per-row gradients of a task at each checkpoint, and mean answer states: made once, read by many methods.

One forward and one backward pass give a whole batch's gradients: hooks keep each linear's input x and the
gradient δ of its output, and a row's dA = s·(Bᵀδ)ᵀx, dB = s·δᵀ(Ax), as autograd would give row by row.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from safetensors import safe_open
from safetensors.numpy import save_file
from torch.nn.attention import SDPBackend, sdpa_kernel

from benchmarks.attribution.model import NOT_AN_ANSWER, AdaptedTail, LoraLinear, row_losses
from benchmarks.attribution.task import Item, Task, collate

BATCH = 10
Floats32 = npt.NDArray[np.float32]


@dataclass(frozen=True)
class Features:
    """By checkpoint: gradients of rows (rows, p) and of queries (queries, p), fp32; where each adapter tensor
    lies in p; CPU seconds for each; and by the last checkpoint the mean state of the answer, (…, width).
    """

    rows: tuple[Floats32, ...]
    queries: tuple[Floats32, ...]
    layers: tuple[slice, ...]
    row_states: Floats32
    query_states: Floats32
    row_seconds: tuple[float, ...]
    query_seconds: tuple[float, ...]


def row_gradients(model: AdaptedTail, items: Sequence[Item], batch: int = BATCH) -> Floats32:
    """(items, p) gradients of each item's mean answer loss, in the order of the model's parameters."""
    linears = [module for module in model.modules() if isinstance(module, LoraLinear)]
    found = []
    for at in range(0, len(items), batch):
        taps = [_Tap(linear) for linear in linears]
        with sdpa_kernel(SDPBackend.MATH):
            row_losses(model, *collate(items[at : at + batch])).sum().backward()  # type: ignore[no-untyped-call]
        found.append(torch.cat([part for tap in taps for part in tap.gradients()], dim=1))
        model.zero_grad()
    return torch.cat(found).numpy()


@torch.no_grad()
def answer_states(model: AdaptedTail, items: Sequence[Item]) -> Floats32:
    """(items, width) last states, averaged over the answer's places."""
    found = []
    for item in items:
        hidden, targets = collate([item])
        found.append(model.answer_states(hidden, targets != NOT_AN_ANSWER).mean(0))
    return torch.stack(found).numpy()


def layer_slices(model: AdaptedTail) -> tuple[slice, ...]:
    """Where each adapter tensor lies in a flat gradient."""
    ends = np.cumsum([parameter.numel() for parameter in model.parameters()]).tolist()
    return tuple(slice(a, b) for a, b in zip([0, *ends], ends, strict=False))


def features(task: Task, path: Path) -> Features:
    """The task's features, from the file where they were made before."""
    if not path.is_file():
        _make(task, path)
    with safe_open(path, framework="np") as file:
        read = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    points = range(len(task.points))
    return Features(
        rows=tuple(read[f"rows.{n}"] for n in points),
        queries=tuple(read[f"queries.{n}"] for n in points),
        layers=layer_slices(task.model()),
        row_states=read["row_states"],
        query_states=read["query_states"],
        row_seconds=tuple(read["row_seconds"].tolist()),
        query_seconds=tuple(read["query_seconds"].tolist()),
    )


class _Tap:
    """What one linear sees in the next pass."""

    def __init__(self, linear: LoraLinear) -> None:
        self._linear = linear
        self._hook = linear.register_forward_hook(self._keep)

    def _keep(self, _module: object, inputs: tuple[torch.Tensor], output: torch.Tensor) -> None:
        self._inputs = inputs[0].detach()
        output.register_hook(self._receive)  # type: ignore[no-untyped-call]
        self._hook.remove()

    def _receive(self, delta: torch.Tensor) -> None:
        self._delta = self._linear.scale * delta

    def gradients(self) -> tuple[torch.Tensor, torch.Tensor]:
        """Flat dA and dB of each row."""
        a, b = self._linear.A.weight.detach(), self._linear.B.weight.detach()
        grad_a = torch.matmul(torch.matmul(self._delta, b).transpose(1, 2), self._inputs)
        grad_b = torch.matmul(self._delta.transpose(1, 2), torch.matmul(self._inputs, a.T))
        return grad_a.flatten(1), grad_b.flatten(1)


def _make(task: Task, path: Path) -> None:
    arrays: dict[str, npt.NDArray[np.generic]] = {}
    for kind, items in (("row", task.rows), ("query", task.queries)):
        seconds = []
        for number in range(len(task.points)):
            began = time.process_time()
            # A query comes alone when it is served.
            found = row_gradients(task.model(number), items, BATCH if kind == "row" else 1)
            arrays[f"{'rows' if kind == 'row' else 'queries'}.{number}"] = found
            seconds.append(time.process_time() - began)
        arrays[f"{kind}_seconds"] = np.array(seconds)
        arrays[f"{kind}_states"] = answer_states(task.model(), items)
    part = path.with_suffix(".part")
    save_file(arrays, part)
    os.replace(part, path)
