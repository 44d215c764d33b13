"""TRAK from dattri, the same model output as traker's; its own projections and no centring of the kernel."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import torch
from dattri.algorithm.trak import TRAKAttributor
from dattri.task import AttributionTask

from benchmarks.attribution.peers.batches import (
    Measured,
    Stopwatch,
    answer_log_probability,
    loaders,
    margin,
)
from benchmarks.attribution.peers.catalogue import Setting
from benchmarks.attribution.task import Task

_BATCH = 25
_FLOAT_BYTES = 4

Batch = tuple[torch.Tensor, torch.Tensor]


def measure(task: Task, settings: Sequence[Setting]) -> Iterator[Measured]:
    """Each setting from the start: the package keeps nothing that another ridge could use."""
    for setting in settings:
        yield _measure(task, setting)


def _measure(task: Task, setting: Setting) -> Measured:
    options, model = setting.options, task.model()
    dimensions, count = int(options["dimensions"] or 0), int(options["points"] or 0)
    states = [task.model(place).state_dict() for place in range(len(task.points))][-count:]

    def output(parameters: Mapping[str, torch.Tensor], batch: Batch) -> torch.Tensor:
        return margin(answer_log_probability(model, parameters, *batch))

    def probability(parameters: Mapping[str, torch.Tensor], batch: Batch) -> torch.Tensor:
        return answer_log_probability(model, parameters, *batch).exp()

    rows, queries = loaders(task, _BATCH, _BATCH)
    build, query = Stopwatch(), Stopwatch()
    with build.running(), torch.no_grad():
        attributor = _attributor(AttributionTask(output, model, states), probability, dimensions, options)
        attributor.cache(rows)
    with query.running(), torch.no_grad():
        scores = attributor.attribute(queries)
    kept = _FLOAT_BYTES * (dimensions * count + 1)
    return Measured(setting.name, scores.T.double().numpy(), build.seconds, query.seconds, kept)


def _attributor(
    task: AttributionTask, probability: Any, dimensions: int, options: Mapping[str, Any]
) -> TRAKAttributor:
    return TRAKAttributor(
        task, probability, projector_kwargs={"proj_dim": dimensions}, regularization=float(options["ridge"])
    )
