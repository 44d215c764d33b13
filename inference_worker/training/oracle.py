"""The oracle for one disputed answer: how likely it is to adapters that a contributor's rows did or did not
train.

The committed recipe is trained anew with all rows and without those of the contributor, under the committed
seed and under one more. What the answer loses in log-likelihood is the effect of the contributor; how far the
seeds disagree is the noise that it must stand out of. It costs four trainings, so it is for disputes.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import torch

from inference_worker.attribution.gradients import LoraProbe, lora_weights
from inference_worker.base.exchange import Exchange
from inference_worker.base.load import Base
from inference_worker.blobs.node_blobs import Blobs
from inference_worker.errors import RequestInvalid
from inference_worker.training.checkpoint import CheckpointFolder
from inference_worker.training.dataset import Dataset, load_dataset, run_digest
from inference_worker.training.examples import steps_per_pass
from inference_worker.training.job_folder import JobFolder
from inference_worker.training.lora_trainer import LoraTrainer, OnStep, StepReport
from inference_worker.training.progress import JobProgress, Phase
from inference_worker.training.recipe import Recipe, parse_recipe
from protocol.wire_jobs import JobSpec

SEEDS = 2
MICRONATS = 1_000_000
PHASE = "retraining"


@dataclass(frozen=True)
class Retraining:
    """One of the trainings; `name` is its folder's."""

    name: str
    dataset: Dataset
    recipe: Recipe

    @property
    def steps(self) -> int:
        """Of the optimiser."""
        return steps_per_pass(len(self.dataset.rows), self.recipe.batch) * self.recipe.passes


def ask_oracle(folder: JobFolder, spec: JobSpec, blobs: Blobs, base: Base) -> dict[str, object]:
    """The contributor's effect on the answer in micro-nats, by seed, with its mean and noise. Each training
    goes on from its checkpoint.
    """
    question = spec.oracle
    if question is None:
        raise RequestInvalid("oracle", None, "which contributor's effect on which answer")
    runs = retrainings(load_dataset(blobs, spec.manifest_cid), parse_recipe(spec.recipe), question.owner)
    progress = JobProgress(folder, (Phase(PHASE, sum(run.steps for run in runs), 1.0),))
    exchange = Exchange(question.prompt_ids, question.output_ids)
    likelihoods, done = [], 0
    for run in runs:
        adapter = _trained(folder.work / run.name, run, base, _telling(progress, done))
        done += run.steps
        likelihoods.append(likelihood(base, adapter, run.recipe, exchange))
    left = len(runs[0].dataset.rows) - len(runs[1].dataset.rows)
    return {"rows_left_out": left, "rows": len(runs[0].dataset.rows), **summary(likelihoods)}


def retrainings(dataset: Dataset, recipe: Recipe, owner: str) -> tuple[Retraining, ...]:
    """With all rows and without the owner's, for each seed in turn. Raises RequestInvalid where the owner has
    no row, or every one.
    """
    others = Dataset(dataset.manifest, tuple(row for row in dataset.rows if row.place.owner != owner))
    if len(others.rows) in (0, len(dataset.rows)):
        raise RequestInvalid("owner", owner, "one who brought some of the trained rows, and not all")
    return tuple(
        Retraining(f"{name}-{number}", rows, replace(recipe, seed=(recipe.seed + number) % 2**32))
        for number in range(SEEDS)
        for name, rows in (("all", dataset), ("without", others))
    )


def likelihood(base: Base, adapter: Mapping[str, torch.Tensor], recipe: Recipe, exchange: Exchange) -> int:
    """Log-likelihood of the answer under an adapter, in micro-nats."""
    probe = LoraProbe(base.model, [lora_weights(adapter, recipe.alpha / recipe.rank)])
    (losses,) = probe.losses([exchange], 0, ())
    return -round(float(losses.sum()) * MICRONATS)


def summary(likelihoods: Sequence[int]) -> dict[str, object]:
    """From pairs (with, without) by seed: effects, their mean, and its noise: half of how far they lie apart.

    An effect is told from nothing only where its mean is more than twice the noise.
    """
    pairs = list(zip(likelihoods[::2], likelihoods[1::2], strict=True))
    effects = [whole - without for whole, without in pairs]
    mean, noise = sum(effects) // len(effects), (max(effects) - min(effects) + 1) // 2
    return {
        "with_micronats": [whole for whole, _ in pairs],
        "without_micronats": [without for _, without in pairs],
        "effect_micronats": mean,
        "noise_micronats": noise,
        "told_from_noise": abs(mean) > 2 * noise,
    }


def _trained(work: Path, run: Retraining, base: Base, on_step: OnStep) -> dict[str, torch.Tensor]:
    work.mkdir(parents=True, exist_ok=True)
    examples = run.dataset.examples(base.tokenizer, run.recipe.max_length)
    digest = run_digest(run.dataset, run.recipe.digest(), base.fingerprint)
    trainer = LoraTrainer(base.model, examples, run.recipe, CheckpointFolder(work, digest))
    try:
        return trainer.run(on_step)
    finally:
        trainer.detach()


def _telling(progress: JobProgress, before: int) -> OnStep:
    def told(report: StepReport) -> None:
        progress.report(PHASE, before + report.step, report.loss)

    return told
