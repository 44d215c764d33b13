"""The training loop: PEFT LoRA, AdamW, linear decay; seeded, resumable to the bit, cancellable.

A run killed at any step and started again ends in the same adapter as one never interrupted, because the
state after step n is a function of the checkpoint at some step before n, the seed and the data alone.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from inference_worker.base.exchange import common_prefix, mean_losses, prefix_states
from inference_worker.errors import TrainingDiverged
from inference_worker.training import lora
from inference_worker.training.checkpoint import CheckpointFolder, Progress, Snapshot
from inference_worker.training.examples import Example, order_of_pass, steps_per_pass
from inference_worker.training.recipe import Recipe

BETAS = (0.9, 0.999)
WARM_UP_STEPS = 5
THIRDS = 3


@dataclass(frozen=True)
class StepReport:
    """One finished step of `steps`, with its batch's mean loss in nats per answer token."""

    step: int
    steps: int
    loss: float


OnStep = Callable[[StepReport], None]


def rate_at(step: int, steps: int, peak: float) -> float:
    """Learning rate of step `step` (from 0): a short warm-up, then linear decay towards zero."""
    return peak * min(1.0, (step + 1) / WARM_UP_STEPS) * (1.0 - step / steps)


def part_ends(steps: int, parts: int) -> list[int]:
    """Steps at which the first `parts` thirds of training end: early gradients tell rows apart best,
    since rows learnt by heart have none left.
    """
    return sorted({math.ceil(steps * part / THIRDS) for part in range(1, parts + 1)})


class LoraTrainer:
    """One run over `examples`; `run` may be called in a fresh process to go on after a kill."""

    def __init__(
        self,
        model: Any,
        examples: Sequence[Example],
        recipe: Recipe,
        folder: CheckpointFolder,
        every: int = 20,
        layers: Sequence[int] | None = None,
    ) -> None:
        """`layers`: those to adapt, or all."""
        self._wrapped = lora.attach(model, recipe, layers)
        self._inner = self._wrapped.get_base_model()
        self._examples = examples
        self._recipe = recipe
        self._folder = folder
        self._every = every
        self._peak = float(recipe.learning_rate)
        self._prefix = common_prefix([e.exchange for e in examples])
        self._parameters = lora.trainable(self._wrapped)
        self._optimiser = torch.optim.AdamW(
            list(self._parameters.values()), lr=self._peak, betas=BETAS, weight_decay=0.0, foreach=False
        )
        self.steps = steps_per_pass(len(examples), recipe.batch) * recipe.passes
        self._ends = part_ends(self.steps, recipe.checkpoints)

    def run(self, on_step: OnStep) -> dict[str, torch.Tensor]:
        """Train from the last checkpoint to the end; returns the adapter under PEFT's file names.

        `on_step` is called after each step; an exception from it (a cancel) leaves the last checkpoint in
        place.
        """
        step = self._restore()
        while step < self.steps:
            loss = self._advance(step)
            step += 1
            self._keep(step)
            on_step(StepReport(step, self.steps, loss))
        return lora.adapter_tensors(self._wrapped)

    def snapshots(self) -> list[Snapshot]:
        """The states kept at the ends of the parts, first to last."""
        return [self._folder.load_snapshot(number) for number in range(1, len(self._ends) + 1)]

    def detach(self) -> Any:
        """The base without LoRA, as it was given."""
        return self._wrapped.unload()

    def _advance(self, step: int) -> float:
        rate = rate_at(step, self.steps, self._peak)
        for group in self._optimiser.param_groups:
            group["lr"] = rate
        batch = [self._examples[place].exchange for place in self._batch(step)]
        states = prefix_states(self._inner, self._prefix)
        loss = mean_losses(self._inner, batch, len(self._prefix), states).mean()
        value = loss.item()
        if not math.isfinite(value):
            raise TrainingDiverged(step, value)
        self._optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        self._optimiser.step()
        return value

    def _batch(self, step: int) -> list[int]:
        per_pass = steps_per_pass(len(self._examples), self._recipe.batch)
        lengths = [e.exchange.length for e in self._examples]
        order = order_of_pass(lengths, self._recipe.batch, self._recipe.seed, step // per_pass)
        return order[step % per_pass]

    def _keep(self, step: int) -> None:
        # The snapshot goes first: a checkpoint at `step` promises that all snapshots up to it exist.
        if step in self._ends:
            self._folder.save_snapshot(self._ends.index(step) + 1, self._snapshot(step))
        if step % self._every == 0 or step == self.steps or step in self._ends:
            self._folder.save(self._progress(step))

    def _snapshot(self, step: int) -> Snapshot:
        progress = self._progress(step)
        correction = 1.0 - BETAS[1] ** step
        begin = max((end for end in self._ends if end < step), default=0)
        rates = [rate_at(s, self.steps, self._peak) for s in range(begin, step)]
        second = {name: value / correction for name, value in progress.second_moment.items()}
        return Snapshot(progress.adapter, second, sum(rates) / len(rates))

    def _progress(self, step: int) -> Progress:
        def moments(key: str) -> dict[str, torch.Tensor]:
            return {
                n: self._optimiser.state[p][key].detach().cpu().clone() for n, p in self._parameters.items()
            }

        adapter = {n: p.detach().cpu().clone() for n, p in self._parameters.items()}
        return Progress(step, adapter, moments("exp_avg"), moments("exp_avg_sq"))

    def _restore(self) -> int:
        progress = self._folder.load()
        if progress is None:
            return 0
        lora.load_tensors(self._parameters, progress.adapter)
        for name, parameter in self._parameters.items():
            self._optimiser.state[parameter] = {
                "step": torch.tensor(float(progress.step)),
                "exp_avg": progress.first_moment[name].to(parameter.device),
                "exp_avg_sq": progress.second_moment[name].to(parameter.device),
            }
        return progress.step
