"""What a validity report will take: whose attribution is judged, on which retrainings and questions.

Known before any of the work is done, so that its cost can be said.
"""

from __future__ import annotations

import random
from collections.abc import Sequence
from dataclasses import dataclass

from inference_worker.attribution.index import AttributionIndex
from inference_worker.evaluation.general_questions import general_questions
from inference_worker.evaluation.held_out import Question
from inference_worker.training.dataset import Dataset
from inference_worker.training.examples import Example, steps_per_pass
from inference_worker.training.recipe import Recipe
from inference_worker.training.retraining import retraining_recipe
from inference_worker.training.subsets import Subset, halves, sample_rows, without_owners

QUESTIONS = 48


@dataclass(frozen=True)
class Subject:
    """What is judged: an adapter's rows, recipe and index. `run` is the digest of what it is a function of,
    `adapter_sha256` (0x-hex) names its weights, `held_out_cid` its questions ("" for none).
    """

    dataset: Dataset
    examples: Sequence[Example]
    recipe: Recipe
    index: AttributionIndex
    run: str
    adapter_sha256: str
    manifest_cid: str
    held_out_cid: str

    @property
    def seed(self) -> int:
        """All draws follow from the index's."""
        return self.index.facts.seed

    @property
    def owners(self) -> list[str]:
        """Of each trained row."""
        return [source.place.owner for source in self.dataset.rows]


@dataclass(frozen=True)
class Course:
    """What will be done: sampled places, the retrainings, and the questions asked after each."""

    sampled: tuple[int, ...]
    subsets: tuple[Subset, ...]
    questions: tuple[Question, ...]
    general: tuple[Question, ...]


def make_course(recipe: Recipe, owners: Sequence[str], held_out: Sequence[Question], seed: int) -> Course:
    """The course of a recipe. Without held-out questions nothing can be measured by retraining."""
    drawn = random.Random(f"{seed}/questions").sample(range(len(held_out)), min(QUESTIONS, len(held_out)))
    sampled = sample_rows(len(owners), recipe.validity_rows, seed)
    subsets = [
        *halves(sampled, recipe.validity_subsets, seed),
        *without_owners(sampled, owners, recipe.validity_contributors),
    ]
    questions = tuple(held_out[place] for place in sorted(drawn))
    return Course(sampled, tuple(subsets) if questions else (), questions, general_questions())


def work_of(course: Course, recipe: Recipe) -> int:
    """Units that `measure` reports: steps, and one for each retraining and each question."""
    passes = retraining_recipe(recipe).passes
    steps = sum(steps_per_pass(len(one.places), recipe.batch) * passes for one in course.subsets)
    return steps + len(course.subsets) + len(course.questions) + len(course.general)
