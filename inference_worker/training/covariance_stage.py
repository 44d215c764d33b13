"""The covariance path's part of a training job: throw-away adapters on halves of the rows, then the loss of
every row and decoy under each.

Both go on where a kill left them. Afterwards only the adapters' file and the codes of the losses matter.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from inference_worker.attribution.build import Covariance, draw_decoys
from inference_worker.attribution.covariance import encode_table
from inference_worker.attribution.method import DECOYS
from inference_worker.attribution.stacked_losses import StackedLosses
from inference_worker.attribution.throwaways import TensorShapes, Throwaways, stack
from inference_worker.base.exchange import common_prefix
from inference_worker.training.examples import Example
from inference_worker.training.loss_table import measure_losses
from inference_worker.training.progress import Phase
from inference_worker.training.recipe import Recipe
from inference_worker.training.throwaway_trainer import Cost, first_layer, steps_each, train_throwaways

TRAINING, LOSSES = "throw-away adapters", "losses"
# Relative to a step of the adapter's own training. A step differentiates only the upper layers; a row's
# losses are one forward pass below them and one for each adapter above.
STEP_WEIGHT = 0.4
ROW_WEIGHT = 0.05
ROW_WEIGHT_PER_ADAPTER = 0.01


def phases(recipe: Recipe, rows: int) -> tuple[Phase, ...]:
    """What the covariance path adds to a job's phases; nothing where it is off."""
    adapters = recipe.covariance_adapters
    if adapters == 0:
        return ()
    row = ROW_WEIGHT + ROW_WEIGHT_PER_ADAPTER * adapters
    return (
        Phase(TRAINING, adapters * steps_each(recipe, rows), STEP_WEIGHT),
        Phase(LOSSES, rows + DECOYS, row),
    )


def say(cost: Cost, adapters: int, rows: int, seconds: float | None) -> str:
    """One line for whoever waits."""
    time = "" if seconds is None else f", about {round(seconds):,} s"
    row = adapters // 2 + 2
    return (
        f"{adapters} throw-away adapters of {cost.steps:,} steps and the losses of {rows:,} rows: "
        f"{(cost.file_bytes + row * rows) / 1e6:,.1f} MB on disk, {cost.resident_bytes / 1e6:,.1f} MB of"
        f" memory for whoever asks{time}"
    )


def measure_covariance(
    model: Any,
    examples: Sequence[Example],
    recipe: Recipe,
    served: TensorShapes,
    seed: int,
    folder: Path,
    run_digest: str,
    report: Callable[[str, int], None],
) -> Covariance:
    """Train and measure in `folder`; `served` is what the adapter is made of, `seed` the index's. An
    exception from `report(phase, done)` stops it.
    """
    exchanges = [example.exchange for example in examples]
    adapters = train_throwaways(
        model, examples, recipe, seed, folder, run_digest, lambda done, _: report(TRAINING, done)
    )
    # Losses are measured under float16 numbers, which are those that queries will meet.
    first = first_layer(model, recipe)
    unmeasured = Throwaways(first, stack(adapters, served, first), np.zeros(len(adapters), np.float32))
    weights = unmeasured.weights(served, recipe.alpha / recipe.rank)
    probe = StackedLosses(model, weights, common_prefix(exchanges))
    everything = [*exchanges, *draw_decoys(exchanges, seed)]
    path = folder / f"losses-{run_digest}"
    losses = measure_losses(probe, everything, path, lambda done: report(LOSSES, done))
    table = encode_table(losses, len(exchanges))
    return Covariance(replace(unmeasured, level=table.level), table)
