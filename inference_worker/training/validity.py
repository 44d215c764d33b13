"""Judge an adapter's attribution on its own data: retrain on parts of the rows, and compare.

Predictions come from the finished index and from two searches that know nothing of it; the truth from the
held-out losses after each retraining. What an earlier report measured already is taken from it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from inference_worker.attribution.influence import InfluenceQuery
from inference_worker.base.exchange import Exchange
from inference_worker.base.load import Base
from inference_worker.evaluation.agreement import Floats
from inference_worker.evaluation.held_out import Question
from inference_worker.evaluation.lane_probe import Probed, probe
from inference_worker.evaluation.rivals import bm25_scores, repsim_scores
from inference_worker.training.examples import make_example
from inference_worker.training.recipe import Recipe
from inference_worker.training.retraining import Retrainer, retraining_recipe
from inference_worker.training.validity_course import Course, Subject
from inference_worker.training.validity_figures import BM25, OURS, REPSIM, report_of
from protocol.validity import Retraining, ValidityReport

OnWork = Callable[[int, str], None]


def measure(
    base: Base,
    subject: Subject,
    course: Course,
    folder: Path,
    on_work: OnWork,
    known: Sequence[Retraining] = (),
) -> ValidityReport:
    """Do what the course says. `on_work(done, what)` is called after each unit; an exception from it stops
    the work, which goes on from there when called again. `known` are an earlier report's retrainings.
    """
    asked = _exchanges(base, course.questions, subject.recipe)
    recipe = retraining_recipe(subject.recipe)
    retrainer = Retrainer(base.model, subject.examples, asked, recipe, subject.run, folder)
    retrained, done = _retrain(retrainer, course, known, on_work)
    influence = InfluenceQuery(base.model, subject.index)
    probed: list[Probed] = []
    for exchange in [*asked, *_exchanges(base, course.general, subject.recipe)]:
        probed.append(probe(subject.index, influence, exchange))
        done += 1
        on_work(done, "asking what the attribution says")
    split = len(asked)
    predicted = _predictions(base, subject, course, probed[:split]) if split else {}
    return report_of(subject, course, retrained, predicted, probed[:split], probed[split:])


def _retrain(
    retrainer: Retrainer, course: Course, known: Sequence[Retraining], on_work: OnWork
) -> tuple[list[Retraining], int]:
    earlier = {(one.kind, one.number, one.owner): one for one in known}
    found, done = [], 0
    for number, subset in enumerate(course.subsets, start=1):
        what = f"retraining {number} of {len(course.subsets)} on {len(subset.places)} rows"
        one = earlier.get((subset.kind, subset.number, subset.owner))
        if one is None:
            one = retrainer.run(subset, partial(_step, on_work, done, what))
        found.append(one)
        done += retrainer.steps(subset) + 1
        on_work(done, what)
    return found, done


def _step(on_work: OnWork, before: int, what: str, step: int) -> None:
    on_work(before + step, what)


def _exchanges(base: Base, questions: Sequence[Question], recipe: Recipe) -> list[Exchange]:
    return [
        make_example(base.tokenizer, place, one.prompt, one.completion, recipe.max_length).exchange
        for place, one in enumerate(questions)
    ]


def _predictions(base: Base, subject: Subject, course: Course, probed: Sequence[Probed]) -> dict[str, Floats]:
    """By method: (questions, sampled rows), larger where a row should make the answer likelier."""
    rows = [subject.dataset.questions()[place] for place in course.sampled]
    exchanges = [subject.examples[place].exchange for place in course.sampled]
    at = {int(row): place for place, row in enumerate(subject.index.rows)}
    order = [at[subject.examples[place].row] for place in course.sampled]
    asked = _exchanges(base, course.questions, subject.recipe)
    return {
        OURS: np.stack([one.scores[order] for one in probed]).astype(np.float64),
        BM25: bm25_scores(course.questions, rows),
        REPSIM: repsim_scores(base.model, asked, exchanges),
    }
