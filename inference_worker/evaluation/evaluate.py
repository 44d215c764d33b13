"""Run the held-out comparison of one adapter with its base, question by question, on one set of weights."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from typing import Any

from inference_worker.attribution.gradients import LoraProbe, LoraWeights
from inference_worker.evaluation.comparison import Evaluation, compare
from inference_worker.evaluation.held_out import HeldOut, Question, with_candidates
from inference_worker.evaluation.reciprocal_rank import CANDIDATES, make_rankings, reciprocal_ranks

TRAIN_SAMPLE = 20

OnProgress = Callable[[int, int], None]


def rankings_in(held_out: HeldOut, trained: int) -> int:
    """Rankings that `evaluate` will report, base and specialist together."""
    return 2 * (len(held_out.questions) + min(TRAIN_SAMPLE, trained))


def evaluate(
    model: Any,
    tokenizer: Any,
    adapter: LoraWeights,
    held_out: HeldOut,
    trained: Sequence[Question],
    on_progress: OnProgress,
) -> Evaluation:
    """Rank the held-out questions and a sample of trained rows under base and specialist.

    `on_progress(done, total)` is called after each ranked question; an exception from it stops the
    evaluation.
    """
    asked = with_candidates(held_out, trained)
    sample = random.Random(0).sample(list(trained), min(TRAIN_SAMPLE, len(trained)))
    pool = [*asked.candidates, *sample]
    rankings = make_rankings(tokenizer, [*asked.questions, *sample], pool)
    total = 2 * len(rankings)
    base = reciprocal_ranks(model, rankings, lambda done, _: on_progress(done, total))
    with LoraProbe(model, [adapter]).active():
        specialist = reciprocal_ranks(
            model, rankings, lambda done, _: on_progress(len(rankings) + done, total)
        )
    split = len(asked.questions)
    return compare(base[:split], specialist[:split], base[split:], specialist[split:], CANDIDATES)
