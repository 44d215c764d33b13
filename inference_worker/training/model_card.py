"""The model card of a bundle: Hugging Face front matter, and figures as they were measured, good or bad."""

from __future__ import annotations

from dataclasses import dataclass

from inference_worker.evaluation.comparison import Evaluation, as_decimal
from inference_worker.training.recipe import Recipe
from protocol.validity import ValidityReport
from protocol.validity_text import sentences


@dataclass(frozen=True)
class CardFacts:
    """What the card tells; `final_loss` is the last batch's mean in nats per answer token."""

    base_name: str
    base_fingerprint: str
    manifest_cid: str
    rows: int
    licences: tuple[str, ...]
    recipe: Recipe
    steps: int
    final_loss: float
    evaluation: Evaluation | None
    validity: ValidityReport
    alarms: tuple[str, ...] = ()


def model_card(facts: CardFacts) -> str:
    """Markdown text of README.md."""
    recipe = facts.recipe
    return f"""---
library_name: peft
base_model: {facts.base_name}
pipeline_tag: text-generation
tags: [lora, openledger]
---

# LoRA specialist on {facts.base_name}

Trained on {facts.rows} rows of dataset manifest `{facts.manifest_cid}`
(row licences: {", ".join(facts.licences)}).
Base fingerprint `{facts.base_fingerprint}`.

## Training

| rank | alpha | passes | batch | peak learning rate | seed | steps | last batch loss |
|---|---|---|---|---|---|---|---|
| {recipe.rank} | {recipe.alpha} | {recipe.passes} | {recipe.batch} | {recipe.learning_rate} | {recipe.seed} \
| {facts.steps} | {facts.final_loss:.3f} |

Target modules: {", ".join(recipe.target_modules)}. Recipe digest `{recipe.digest()}`.
Loss falls on the answer tokens only; questions are rendered by the base's own chat template.

## Evaluation

{evaluation_text(facts.evaluation)}

## How far the attribution can be believed

{validity_text(facts.validity, facts.alarms)}

## Limits

Answers may be wrong; the figures above are all that is known of how often. Which rows shaped an answer is
estimated by gradient influence and exact spans, and each answer's receipt says how much no row explains.
"""


def validity_text(report: ValidityReport, alarms: tuple[str, ...] = ()) -> str:
    """The validity section; the figures with the losses of every retraining are in `validity.json`."""
    return "\n".join(f"- {sentence}" for sentence in (*sentences(report), *alarms))


def evaluation_text(evaluation: Evaluation | None) -> str:
    """The evaluation section, which admits when nothing was measured."""
    if evaluation is None:
        return "Not evaluated: no held-out questions were given."
    return f"""Mean reciprocal rank of the true answer among its {evaluation.candidates} nearest (BM25), by
log-probability:

| | held out ({evaluation.questions}) | trained rows ({evaluation.train_questions}) |
|---|---|---|
| base | {evaluation.base_mrr_ppm / 1e6:.3f} | {evaluation.base_train_mrr_ppm / 1e6:.3f} |
| specialist | {evaluation.specialist_mrr_ppm / 1e6:.3f} | {evaluation.train_mrr_ppm / 1e6:.3f} |

{evaluation.verdict} {evaluation.memorisation}
Paired gain {as_decimal(evaluation.gain_ppm)} ({as_decimal(evaluation.gain_low_ppm)} to \
{as_decimal(evaluation.gain_high_ppm)}, 95 % bootstrap)."""
