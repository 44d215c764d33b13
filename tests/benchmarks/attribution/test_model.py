"""The benchmark's model is the base's last layers, and its shortcuts change no number."""

import pytest
import torch

from benchmarks.attribution.model import NOT_AN_ANSWER, row_losses
from benchmarks.attribution.prepare import ADAPTED_LAYERS, states_below, tokens_of
from benchmarks.attribution.rows import RowSet
from benchmarks.attribution.sets import read_seeds
from benchmarks.attribution.task import Task, collate
from inference_worker.base.load import Base


@pytest.mark.slow
def test_before_training_it_says_what_the_base_says(small_set: RowSet, tiny: Base, task: Task) -> None:
    """Cached states through our layers against the whole model by transformers."""
    ids, _ = tokens_of(tiny.tokenizer, small_set.train[0])
    with torch.no_grad():
        whole = tiny.model(input_ids=torch.tensor([ids])).logits[0]
        cut = task.model(None, read_seeds().init)(states_below(tiny.model, [ids])[0][None])[0]
    head = tiny.model.get_output_embeddings().weight
    places = [int((head == row).all(1).nonzero()[0]) for row in task.base["head"]]
    torch.testing.assert_close(cut, whole[:, places], rtol=1e-4, atol=1e-4)
    assert len(task.base["norm"]) == 48 and len(task.model().blocks) == ADAPTED_LAYERS


def test_answers_alone_are_the_same_numbers(task: Task) -> None:
    model = task.model()
    hidden, targets = collate(task.rows[:5])
    places = targets != NOT_AN_ANSWER
    with torch.no_grad():
        torch.testing.assert_close(model.answer_logits(hidden, places), model(hidden)[places])


def test_a_rows_loss_does_not_depend_on_its_neighbours(task: Task) -> None:
    model = task.model()
    with torch.no_grad():
        together = row_losses(model, *collate(task.rows))
        alone = torch.cat([row_losses(model, *collate([item])) for item in task.rows])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)


def test_the_reference_run_learned_its_rows(task: Task) -> None:
    hidden, targets = collate(task.rows)
    with torch.no_grad():
        before = row_losses(task.model(None, read_seeds().init), hidden, targets).mean()
        after = [row_losses(task.model(point), hidden, targets).mean() for point in range(3)]
    assert after[2] < after[0] < before
