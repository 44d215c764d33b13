"""EK-FAC from kronfluence: the last checkpoint, true Fisher with sampled labels.

It keeps factors, nothing for a row: every row is differentiated again for each batch of queries.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import torch
from kronfluence.analyzer import Analyzer, prepare_model
from kronfluence.arguments import FactorArguments, ScoreArguments
from kronfluence.task import Task as Kronfluence

from benchmarks.attribution.model import NOT_AN_ANSWER
from benchmarks.attribution.peers.batches import Measured, Seen, Stopwatch, longest_of
from benchmarks.attribution.peers.catalogue import Setting
from benchmarks.attribution.task import Task

_FACTOR_BATCH, _QUERY_BATCH, _ROW_BATCH = 25, 50, 50
_SEED = 0

# States, targets, and which places are real.
Batch = tuple[torch.Tensor, torch.Tensor, torch.Tensor]


class AnswerLoss(Kronfluence):  # type: ignore[misc]
    """Sum over rows of each row's mean answer loss, the terms that training summed."""

    def __init__(self, linears: Sequence[str]) -> None:
        self._linears = list(linears)

    def compute_train_loss(self, batch: Batch, model: Any, sample: bool = False) -> torch.Tensor:
        """On the answers, or for the Fisher matrix on labels drawn from the model."""
        states, targets, _ = batch
        places = targets != NOT_AN_ANSWER
        logits, wanted = model.answer_logits(states, places), targets[places]
        if sample:
            with torch.no_grad():
                wanted = torch.multinomial(logits.softmax(-1), 1)[:, 0]
        losses = torch.nn.functional.cross_entropy(logits, wanted, reduction="none")
        return (losses / places.sum(1)[places.nonzero()[:, 0]]).sum()

    def compute_measurement(self, batch: Batch, model: Any) -> torch.Tensor:
        """The query's own loss."""
        return self.compute_train_loss(batch, model)

    def get_influence_tracked_modules(self) -> list[str]:
        """The adapter's linear layers."""
        return self._linears

    def get_attention_mask(self, batch: Batch) -> torch.Tensor:
        """Padding stays out of the covariances."""
        return batch[2]


def measure(task: Task, settings: Sequence[Setting]) -> Iterator[Measured]:
    """Fit the factors once; score under each damping."""
    model = task.model()
    linears = [name for name, module in model.named_modules() if isinstance(module, torch.nn.Linear)]
    loss = AnswerLoss(linears)
    rows, queries = (Seen(items, longest_of(task)) for items in (task.rows, task.queries))
    torch.manual_seed(_SEED)
    with TemporaryDirectory() as folder:
        fit, analyzer = Stopwatch(), _analyzer(prepare_model(model, loss), loss, Path(folder))
        with fit.running():
            analyzer.fit_all_factors("factors", rows, _FACTOR_BATCH, factor_args=FactorArguments("ekfac"))
        for setting in settings:
            query = Stopwatch()
            with query.running():
                scores = _scores(analyzer, setting, queries, rows)
            yield Measured(setting.name, scores, fit.seconds, query.seconds, 0.0)


def _analyzer(model: torch.nn.Module, loss: AnswerLoss, folder: Path) -> Analyzer:
    return Analyzer("ekfac", model, loss, cpu=True, disable_tqdm=True, output_dir=str(folder))


def _scores(analyzer: Analyzer, setting: Setting, queries: Seen, rows: Seen) -> np.ndarray:
    arguments = ScoreArguments(damping_factor=setting.options["damping"])
    analyzer.compute_pairwise_scores(
        setting.name, "factors", queries, rows, _QUERY_BATCH, _ROW_BATCH, score_args=arguments
    )
    return analyzer.load_pairwise_scores(setting.name)["all_modules"].double().numpy()
