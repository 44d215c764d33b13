"""One training run of the benchmark's adapter: AdamW, five steps of warm-up, linear decay, three passes.

The same recipe as the product's, on a model that takes seconds. Seeds decide everything: a run on the same
rows under the same order label ends in the same adapter.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import torch

from benchmarks.attribution.model import AdaptedTail, row_losses
from benchmarks.attribution.rows import shuffled
from benchmarks.attribution.task import Item, Point, collate

BETAS = (0.9, 0.999)
EVALUATION_BATCH = 25


@dataclass(frozen=True)
class Recipe:
    """Settings of §4.2 of the method's dossier: the same for every run of a set."""

    passes: int = 3
    batch: int = 16
    peak: float = 5e-3
    warm_up: int = 5


def rate_at(step: int, steps: int, recipe: Recipe) -> float:
    """Learning rate of a step, from 0."""
    return recipe.peak * min(1.0, (step + 1) / recipe.warm_up) * (1.0 - step / steps)


def train(model: AdaptedTail, items: Sequence[Item], recipe: Recipe, label: str) -> list[Point]:
    """Train in place; the points at the end of each pass."""
    optimiser = torch.optim.AdamW(model.parameters(), lr=recipe.peak, betas=BETAS, weight_decay=0.0)
    per_pass = math.ceil(len(items) / recipe.batch)
    steps = per_pass * recipe.passes
    points = []
    for number in range(recipe.passes):
        order = shuffled(f"{label}/{number}", len(items))
        rates = [rate_at(number * per_pass + step, steps, recipe) for step in range(per_pass)]
        for step, rate in enumerate(rates):
            places = order[step * recipe.batch : (step + 1) * recipe.batch]
            _step(model, optimiser, [items[place] for place in places], rate)
        points.append(_point(model, optimiser, (number + 1) * per_pass, sum(rates) / per_pass))
    return points


@torch.no_grad()
def losses_of(model: AdaptedTail, items: Sequence[Item]) -> torch.Tensor:
    """(items,) mean answer losses, alike lengths batched together."""
    order = sorted(range(len(items)), key=lambda place: len(items[place].ids))
    found = torch.zeros(len(items))
    for at in range(0, len(order), EVALUATION_BATCH):
        places = order[at : at + EVALUATION_BATCH]
        found[places] = row_losses(model, *collate([items[place] for place in places]))
    return found


def _step(model: AdaptedTail, optimiser: torch.optim.Optimizer, batch: Sequence[Item], rate: float) -> None:
    for group in optimiser.param_groups:
        group["lr"] = rate
    loss = row_losses(model, *collate(batch)).mean()
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    optimiser.step()


def _point(model: AdaptedTail, optimiser: torch.optim.Optimizer, steps: int, rate: float) -> Point:
    correction = 1.0 - BETAS[1] ** steps
    state = {name: optimiser.state[parameter] for name, parameter in model.named_parameters()}
    return Point(
        adapter={name: parameter.detach().clone() for name, parameter in model.named_parameters()},
        second_moment={name: value["exp_avg_sq"] / correction for name, value in state.items()},
        rate=rate,
    )
