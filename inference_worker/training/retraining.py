"""Train again on a part of the rows and measure the held-out losses: the truth that attribution is judged by.

Each retraining leaves its losses on disk before the next begins, and is itself resumed from its checkpoint,
so that a kill costs some steps. Only digests and figures are written, no text of any row.
"""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from inference_worker.attribution.gradients import LoraProbe, LoraWeights, lora_weights
from inference_worker.base.exchange import Exchange, batches_of, common_prefix
from inference_worker.training.checkpoint import CheckpointFolder
from inference_worker.training.examples import Example, steps_per_pass
from inference_worker.training.lora_trainer import LoraTrainer
from inference_worker.training.recipe import Recipe
from inference_worker.training.subsets import Subset
from protocol.hashing import sha256, to_hex
from protocol.validity import MAX_LOSS, Retraining

MICRO = 1_000_000

OnStep = Callable[[int], None]


@dataclass(frozen=True)
class Retrainer:
    """`examples` are all trained rows; `recipe` is that of the retrainings; `digest` is what the run of the
    adapter was a function of.
    """

    model: Any
    examples: Sequence[Example]
    questions: Sequence[Exchange]
    recipe: Recipe
    digest: str
    folder: Path

    def steps(self, subset: Subset) -> int:
        """Optimiser steps of one retraining."""
        return steps_per_pass(len(subset.places), self.recipe.batch) * self.recipe.passes

    def run(self, subset: Subset, on_step: OnStep) -> Retraining:
        """The losses after training on the subset, from disk where they are there already.

        `on_step(done)` is called after each step; an exception from it leaves the last checkpoint in place.
        """
        found = self._kept(subset)
        if found is None:
            found = self._train(subset, on_step)
            self._keep(subset, found)
        return found

    def _train(self, subset: Subset, on_step: OnStep) -> Retraining:
        folder = self._path(subset)
        folder.mkdir(parents=True, exist_ok=True)
        chosen = [self.examples[place] for place in subset.places]
        trainer = LoraTrainer(self.model, chosen, self.recipe, CheckpointFolder(folder, self._digest(subset)))
        try:
            adapter = trainer.run(lambda report: on_step(report.step))
        finally:
            trainer.detach()
        weights = lora_weights(adapter, self.recipe.alpha / self.recipe.rank)
        losses = held_out_losses(self.model, weights, self.questions)
        return Retraining(subset.kind, subset.number, subset.owner, len(subset.places), losses)

    def _kept(self, subset: Subset) -> Retraining | None:
        path = self._path(subset).with_suffix(".json")
        if not path.is_file():
            return None
        kept = json.loads(path.read_text(encoding="utf-8"))
        # Losses of other rows, another recipe or other questions are none of this retraining's.
        if kept.pop("digest") != self._digest(subset):
            return None
        return Retraining(**{**kept, "losses": tuple(kept["losses"])})

    def _keep(self, subset: Subset, found: Retraining) -> None:
        path = self._path(subset).with_suffix(".json")
        aside = path.with_suffix(".part")
        with aside.open("w", encoding="utf-8") as sink:
            json.dump({"digest": self._digest(subset), **asdict(found)}, sink)
            sink.flush()
            os.fsync(sink.fileno())
        aside.replace(path)
        shutil.rmtree(self._path(subset), ignore_errors=True)

    def _digest(self, subset: Subset) -> str:
        asked = [(one.prompt, one.answer) for one in self.questions]
        spelled = json.dumps([self.digest, self.recipe.digest(), subset.places, asked])
        return to_hex(sha256(spelled.encode()))

    def _path(self, subset: Subset) -> Path:
        return self.folder / subset.name


def held_out_losses(model: Any, adapter: LoraWeights, questions: Sequence[Exchange]) -> tuple[int, ...]:
    """Each question's mean loss under the adapter, in micro-nats per answer token."""
    probe, shared = LoraProbe(model, [adapter]), common_prefix(questions)
    states = probe.states(shared)
    found = [0] * len(questions)
    for places in batches_of(questions):
        losses = probe.losses([questions[place] for place in places], len(shared), states)
        for place, loss in zip(places, losses, strict=True):
            found[place] = min(MAX_LOSS, round(float(loss.mean()) * MICRO))
    return tuple(found)


def retraining_recipe(recipe: Recipe) -> Recipe:
    """What a retraining is a function of: the adapter's recipe with its own passes and one snapshot, and
    nothing of how many retrainings there are, so that a larger report takes over a smaller one's.
    """
    passes = recipe.validity_passes or recipe.passes
    fixed = Recipe()
    return replace(
        recipe,
        passes=passes,
        checkpoints=1,
        validity_subsets=fixed.validity_subsets,
        validity_contributors=fixed.validity_contributors,
        validity_rows=fixed.validity_rows,
        validity_passes=fixed.validity_passes,
    )
