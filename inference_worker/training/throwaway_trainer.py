"""The throw-away adapters of the covariance path: each trained as the adapter itself is, on half of the rows
and in the upper layers alone, and kept as soon as it is done.

All begin with the same numbers, so that they differ by the rows they saw and by little else. A run that was
killed goes on at the adapter, and the step, that it was at.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch

from inference_worker.attribution.covariance import subset
from inference_worker.attribution.throwaways import MAX_RESIDENT_BYTES, resident_bytes
from inference_worker.errors import CheckpointInvalid, RecipeInvalid
from inference_worker.training.checkpoint import CheckpointFolder, read_tensors, save_tensors
from inference_worker.training.examples import Example, steps_per_pass
from inference_worker.training.lora_trainer import LoraTrainer, StepReport
from inference_worker.training.recipe import Recipe

GROUP = "adapter"


@dataclass(frozen=True)
class Cost:
    """What the throw-away adapters of a recipe take, known before any is trained: optimiser steps in all,
    bytes of their file, bytes in memory of whoever asks them.
    """

    steps: int
    file_bytes: int
    resident_bytes: int


def cost_of(model: Any, recipe: Recipe, rows: int) -> Cost:
    """The cost; RecipeInvalid where queries could not hold so many adapters."""
    adapters, steps = recipe.covariance_adapters, steps_each(recipe, rows)
    parameters = sum(
        recipe.rank * sum(layer.get_submodule(path).weight.shape)
        for layer in model.get_decoder().layers[first_layer(model, recipe) :]
        for path, _ in layer.named_modules()
        if path.rsplit(".", 1)[-1] in recipe.target_modules
    )
    held = resident_bytes(adapters, parameters)
    if held > MAX_RESIDENT_BYTES:
        fitting = MAX_RESIDENT_BYTES * recipe.covariance_layers // held
        allowed = f"at most {fitting} with {adapters} adapters of rank {recipe.rank}"
        raise RecipeInvalid("covariance_layers", recipe.covariance_layers, allowed)
    return Cost(adapters * steps, held // 2, held)


def first_layer(model: Any, recipe: Recipe) -> int:
    """The lowest decoder layer that throw-away adapters change."""
    return max(0, len(model.get_decoder().layers) - recipe.covariance_layers)


def steps_each(recipe: Recipe, rows: int) -> int:
    """Optimiser steps of one throw-away adapter."""
    return steps_per_pass(rows // 2, recipe.batch) * recipe.covariance_passes


def train_throwaways(
    model: Any,
    examples: Sequence[Example],
    recipe: Recipe,
    seed: int,
    folder: Path,
    run_digest: str,
    on_step: Callable[[int, float], None],
) -> list[dict[str, torch.Tensor]]:
    """The adapters in order, float16, under PEFT's names. `seed` is the index's.

    `on_step(done, loss)` counts the steps of all; an exception from it leaves what is done in `folder`.
    """
    folder.mkdir(parents=True, exist_ok=True)
    each, found = steps_each(recipe, len(examples)), []
    for number in range(recipe.covariance_adapters):

        def on_one(report: StepReport, before: int = number * each) -> None:
            on_step(before + report.step, report.loss)

        path = folder / f"{number:02d}.safetensors"
        if not path.is_file():
            half = [examples[place] for place in subset(seed, number, len(examples)).tolist()]
            _train_one(model, half, recipe, path, run_digest, on_one)
        found.append(_kept(path, run_digest))
    return found


def _train_one(
    model: Any,
    half: Sequence[Example],
    recipe: Recipe,
    path: Path,
    run_digest: str,
    on_step: Callable[[StepReport], None],
) -> None:
    running = path.with_suffix("")
    running.mkdir(exist_ok=True)
    layers = range(first_layer(model, recipe), len(model.get_decoder().layers))
    own = replace(recipe, passes=recipe.covariance_passes, checkpoints=0)
    folder = CheckpointFolder(running, f"{run_digest} {path.stem}")
    trainer = LoraTrainer(model, half, own, folder, layers=layers)
    try:
        adapter = trainer.run(on_step)
    finally:
        trainer.detach()
    half_precision = {name: value.to(torch.float16) for name, value in adapter.items()}
    save_tensors(path, {GROUP: half_precision}, {"run": run_digest})
    shutil.rmtree(running)


def _kept(path: Path, run_digest: str) -> dict[str, torch.Tensor]:
    groups, facts = read_tensors(path)
    if facts.get("run") != run_digest:
        raise CheckpointInvalid("throw-away adapter", run_digest, facts.get("run"))
    return groups[GROUP]
