"""What the packages are given is what the benchmark trained on."""

import torch
from torch.utils.data import DataLoader

from benchmarks.attribution.model import row_losses
from benchmarks.attribution.peers.batches import (
    Named,
    Padded,
    Seen,
    answer_log_probability,
    longest_of,
    margin,
)
from benchmarks.attribution.task import Task, collate


def test_padding_to_the_longest_changes_no_loss(task: Task) -> None:
    model, padded = task.model(), Padded(task.queries, longest_of(task) + 3)
    states, targets = (
        torch.stack(part) for part in zip(*(padded[i] for i in range(len(padded))), strict=True)
    )
    with torch.no_grad():
        assert torch.allclose(
            row_losses(model, states, targets), row_losses(model, *collate(task.queries)), atol=1e-5
        )


def test_log_probability_is_the_negative_loss_by_row_and_by_batch(task: Task) -> None:
    model = task.model()
    states, targets = collate(task.rows[:3])
    parameters = dict(model.named_parameters())
    with torch.no_grad():
        losses = row_losses(model, states, targets)
        batched = answer_log_probability(model, parameters, states, targets)
        single = [
            answer_log_probability(model, parameters, s, t) for s, t in zip(states, targets, strict=True)
        ]
    assert torch.allclose(batched, -losses, atol=1e-5)
    assert torch.allclose(torch.stack(single), -losses, atol=1e-5)


def test_gradients_mapped_over_rows_are_each_rows_own(task: Task) -> None:
    model = task.model()
    states, targets = collate(task.rows[:2])
    parameters = {name: value.detach() for name, value in model.named_parameters()}
    mapped = torch.func.vmap(
        torch.func.grad(lambda p, s, t: -answer_log_probability(model, p, s, t)), (None, 0, 0)
    )(parameters, states, targets)
    for row in range(2):
        model.zero_grad()
        row_losses(model, states[row : row + 1], targets[row : row + 1]).sum().backward()
        for name, value in model.named_parameters():
            assert value.grad is not None
            assert torch.allclose(mapped[name][row], value.grad, atol=1e-6)


def test_margin_grows_with_the_probability_and_stays_finite() -> None:
    found = margin(torch.tensor([-50.0, -1.0, -1e-3, 0.0]))
    assert torch.isfinite(found).all() and bool((found.diff() > 0).all())


def test_the_mask_counts_the_tokens_and_names_keep_the_parts(task: Task) -> None:
    longest = longest_of(task)
    seen, named = Seen(task.rows, longest), Named(Padded(task.rows, longest))
    assert [int(seen[i][2].sum()) for i in range(len(seen))] == [len(item.ids) for item in task.rows]
    batch = next(iter(DataLoader(named, batch_size=len(named))))
    assert torch.equal(batch["states"], seen.states) and torch.equal(batch["targets"], seen.targets)
