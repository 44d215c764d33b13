"""From the files of retrainings to the truth that methods are measured by, and to the method's own losses."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from benchmarks.attribution.metrics import Truth, reliability, stacked
from benchmarks.attribution.ours import Losses
from benchmarks.attribution.retrain import Job, is_done, read_run
from benchmarks.attribution.task import Task
from benchmarks.attribution.training import losses_of


@dataclass(frozen=True)
class Seen:
    """A set's truth, over how many orders of training each subset's losses are means, and the correlation of
    two orders (None with one): the share of a single training's ranking that is not noise.
    """

    truth: Truth
    orders: int
    reliability: float | None


def read_truth(task: Task, runs: Path, key: str, truth: Sequence[Job], without: Sequence[Job]) -> Seen:
    """From finished runs; those of kind `again` are averaged in when all of them are there."""
    found = [read_run(runs / job.file_name) for job in truth]
    losses = _queries(found)
    others = [Job("again", job.number) for job in truth]
    agreement = None
    if all(is_done(runs / job.file_name, key) for job in others):
        second = _queries([read_run(runs / job.file_name) for job in others])
        agreement = reliability(losses, second)
        losses = (losses + second) / 2
    whole = losses_of(task.model(), task.queries).numpy().astype(np.float64)
    rows = len(task.rows)
    made = Truth(
        members=stacked([run["members"].numpy() for run in found], rows),
        losses=losses,
        without=_queries([read_run(runs / job.file_name) for job in without]) - whole,
        owners=np.array(task.contributors()),
        asked=np.array([query.contributor for query in task.queries]),
    )
    return Seen(made, 1 if agreement is None else 2, agreement)


def read_losses(runs: Path, jobs: Sequence[Job]) -> Losses:
    """Losses under the throw-away adapters, (rows, K) and (queries, K)."""
    found = [read_run(runs / job.file_name) for job in jobs]
    rows = torch.stack([run["rows"] for run in found], dim=1).numpy().astype(np.float64)
    return Losses(rows, _queries(found).T)


def _queries(found: Sequence[dict[str, torch.Tensor]]) -> np.ndarray:
    return torch.stack([run["queries"] for run in found]).numpy().astype(np.float64)
