"""TRAK from traker, on its projector for CPUs and in float32, as everything it is compared with.

Rows are featurised once for each number of dimensions; ridges and sets of checkpoints share them.
"""

from __future__ import annotations

import logging
import shutil
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from torch.utils.data import DataLoader
from trak import TRAKer
from trak.modelout_functions import AbstractModelOutput

from benchmarks.attribution.model import AdaptedTail
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
_EXPERIMENT = "queries"
_FLOAT_BYTES = 4


class AnswerMargin(AbstractModelOutput):  # type: ignore[misc]
    """Of an answer as one event whose probability is its tokens' geometric mean."""

    def __init__(self) -> None:
        pass

    @staticmethod
    def get_output(
        model: AdaptedTail, weights: Mapping[str, torch.Tensor], buffers: Mapping[str, torch.Tensor],
        states: torch.Tensor, targets: torch.Tensor,
    ) -> torch.Tensor:  # fmt: skip
        return margin(answer_log_probability(model, {**weights, **buffers}, states, targets))

    @staticmethod
    def get_out_to_loss_grad(
        model: AdaptedTail,
        weights: Mapping[str, torch.Tensor],
        buffers: Mapping[str, torch.Tensor],
        batch: Any,
    ) -> torch.Tensor:
        found = answer_log_probability(model, {**weights, **buffers}, *batch)
        return (1 - found.exp()).detach().unsqueeze(-1)


def measure(task: Task, settings: Sequence[Setting]) -> Iterator[Measured]:
    """Featurise and project once for each number of dimensions, then finalise under each setting."""
    by_size = defaultdict(list)
    for setting in settings:
        by_size[setting.options["dimensions"]].append(setting)
    for dimensions, group in by_size.items():
        yield from _measure_size(task, int(dimensions or 0), group)


def _measure_size(task: Task, dimensions: int, settings: Sequence[Setting]) -> Iterator[Measured]:
    model, number = task.model(), len(task.points)
    most = max(int(s.options["points"] or 0) for s in settings)
    # Checkpoints count from the last, the one that answers.
    states = {place: task.model(number - 1 - place).state_dict() for place in range(most)}
    rows, queries = loaders(task, _BATCH, _BATCH)
    with TemporaryDirectory() as folder:
        store, built = Path(folder) / "features", {place: Stopwatch() for place in states}
        for place, state in states.items():
            with built[place].running():
                _featurise(_traker(task, model, dimensions, 0.0, store), place, state, rows)
        for setting in settings:
            places = list(range(int(setting.options["points"] or 0)))
            whole, query = Stopwatch(), Stopwatch()
            with whole.running():
                own = Path(folder) / setting.name
                shutil.copytree(store, own)
                traker = _traker(task, model, dimensions, float(setting.options["ridge"] or 0), own)
                traker.finalize_features(places)
            with query.running():
                scores = _score(
                    traker, {place: states[place] for place in places}, queries, len(task.queries)
                )
            seconds = whole.seconds + sum(built[place].seconds for place in places)
            kept = len(places) * (dimensions + 1) * _FLOAT_BYTES
            yield Measured(setting.name, scores, seconds, query.seconds, kept)
            shutil.rmtree(own)


def _traker(task: Task, model: AdaptedTail, dimensions: int, ridge: float, folder: Path) -> TRAKer:
    return TRAKer(
        model=model, task=AnswerMargin(), train_set_size=len(task.rows), save_dir=str(folder), device="cpu",
        proj_dim=dimensions, use_half_precision=False, lambda_reg=ridge, logging_level=logging.ERROR,
    )  # fmt: skip


def _featurise(traker: TRAKer, place: int, state: Mapping[str, torch.Tensor], rows: DataLoader[Any]) -> None:
    traker.load_checkpoint(state, model_id=place)
    with torch.no_grad():
        for batch in rows:
            traker.featurize(batch=batch, num_samples=len(batch[0]))
    traker.saver.serialize_current_model_id_metadata()


def _score(
    traker: TRAKer, states: Mapping[int, Mapping[str, torch.Tensor]], queries: DataLoader[Any], count: int
) -> np.ndarray:
    for place, state in states.items():
        traker.start_scoring_checkpoint(_EXPERIMENT, state, place, count)
        with torch.no_grad():
            for batch in queries:
                traker.score(batch=batch, num_samples=len(batch[0]))
    return np.asarray(traker.finalize_scores(_EXPERIMENT, model_ids=list(states)), dtype=np.float64).T
