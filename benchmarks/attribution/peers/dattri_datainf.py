"""DataInf from dattri: the last checkpoint, one damping for all layers."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

import torch
from dattri.algorithm.influence_function import IFAttributorDataInf
from dattri.task import AttributionTask

from benchmarks.attribution.peers.batches import Measured, Stopwatch, answer_log_probability, loaders
from benchmarks.attribution.peers.catalogue import Setting
from benchmarks.attribution.task import Task

# Queries are differentiated again for each batch of rows, so these are as large as memory allows.
_ROW_BATCH, _QUERY_BATCH = 100, 25
_FLOAT_BYTES = 4


def measure(task: Task, settings: Sequence[Setting]) -> Iterator[Measured]:
    """The gradients of the rows once; the damping enters when queries come."""
    model = task.model()

    def loss(
        parameters: Mapping[str, torch.Tensor], batch: tuple[torch.Tensor, torch.Tensor]
    ) -> torch.Tensor:
        return -answer_log_probability(model, parameters, *batch).mean()

    rows, queries = loaders(task, _ROW_BATCH, _QUERY_BATCH)
    attributor, build = IFAttributorDataInf(AttributionTask(loss, model, model.state_dict())), Stopwatch()
    # Without `no_grad` every row's gradient keeps the graph it came from.
    with build.running(), torch.no_grad():
        attributor.cache(rows)
    kept = _FLOAT_BYTES * sum(parameter.numel() for parameter in model.parameters())
    for setting in settings:
        query = Stopwatch()
        attributor.regularization = float(setting.options["ridge"] or 0)
        with query.running(), torch.no_grad():
            scores = attributor.attribute(rows, queries)
        yield Measured(setting.name, scores.T.double().numpy(), build.seconds, query.seconds, kept)
