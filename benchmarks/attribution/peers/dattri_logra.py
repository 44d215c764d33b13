"""LoGra from dattri: the last checkpoint, the A and B of every adapted linear layer.

Batches go in as keyword arguments and the model answers with a `loss`: for anything else the package's set-up
calls the model with one row, and its queries are measured by a cross entropy over classes.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import torch
from dattri.algorithm.logra import LoGraAttributor
from dattri.task import AttributionTask
from torch import nn
from torch.utils.data import DataLoader

from benchmarks.attribution.model import AdaptedTail, row_losses
from benchmarks.attribution.peers.batches import Measured, Named, Padded, Stopwatch, longest_of
from benchmarks.attribution.peers.catalogue import Setting
from benchmarks.attribution.task import Task

_BATCH = 25
_FLOAT_BYTES = 4


@dataclass(frozen=True)
class Output:
    """What the package reads from a model's answer."""

    loss: torch.Tensor


class WithLoss(nn.Module):
    """The model, answering with the mean of its rows' losses: the package multiplies by the batch again."""

    def __init__(self, tail: AdaptedTail) -> None:
        super().__init__()
        self.tail = tail

    def forward(self, states: torch.Tensor, targets: torch.Tensor) -> Output:
        return Output(row_losses(self.tail, states, targets).mean())


def measure(task: Task, settings: Sequence[Setting]) -> Iterator[Measured]:
    """Rows once for each number of dimensions; dampings share the projected gradients."""
    by_size = defaultdict(list)
    for setting in settings:
        by_size[int(setting.options["dimensions"] or 0)].append(setting)
    for dimensions, group in by_size.items():
        with TemporaryDirectory() as folder:
            yield from _measure_size(task, dimensions, group, Path(folder))


def _measure_size(
    task: Task, dimensions: int, settings: Sequence[Setting], folder: Path
) -> Iterator[Measured]:
    model, longest = WithLoss(task.model()), longest_of(task)
    rows, queries = (
        DataLoader(Named(Padded(items, longest)), batch_size=_BATCH) for items in (task.rows, task.queries)
    )
    gradients = Stopwatch()
    attributor = _attributor(model, dimensions, folder, settings[0].options["damping"])
    with gradients.running():
        attributor.cache(rows)
    for number, setting in enumerate(settings):
        inverse, query = Stopwatch(), Stopwatch()
        if number:
            with inverse.running():
                attributor.compute_preconditioners(setting.options["damping"])
                attributor.compute_ifvp()
        with query.running():
            scores = attributor.attribute(rows, queries)
        build = gradients.seconds + inverse.seconds
        kept = _FLOAT_BYTES * int(attributor.total_proj_dim or 0)
        yield Measured(setting.name, scores.T.double().numpy(), build, query.seconds, kept)


def _attributor(model: WithLoss, dimensions: int, folder: Path, damping: float | None) -> LoGraAttributor:
    linears = [name for name, module in model.named_modules() if isinstance(module, nn.Linear)]

    def loss(called: nn.Module, batch: Mapping[str, torch.Tensor], _device: Any) -> torch.Tensor:
        found: torch.Tensor = called(**batch).loss
        return found

    wrapped = AttributionTask(loss, model, model.state_dict())
    return LoGraAttributor(wrapped, linears, damping=damping, proj_dim=dimensions, cache_dir=str(folder))
