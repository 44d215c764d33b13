"""The task's rows as what packages take: padded batches of one length, and the model output TRAK asks for."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch.utils.data import DataLoader, Dataset

from benchmarks.attribution.model import NOT_AN_ANSWER, AdaptedTail
from benchmarks.attribution.task import Item, Scores, Task, collate


@dataclass(frozen=True)
class Measured:
    """A setting's scores (queries, rows), CPU seconds to prepare and for all queries, bytes kept a row."""

    name: str
    scores: Scores
    build_seconds: float
    query_seconds: float
    bytes_per_row: float


class Padded(Dataset[tuple[torch.Tensor, ...]]):
    """Rows or queries of a task at the length of its longest: states, targets, and which places are real.

    Real are the places that hold a token; both parts have one length, for some packages join them.
    """

    def __init__(self, items: Sequence[Item], longest: int) -> None:
        states, targets = collate(items)
        extra = longest - states.shape[1]
        self.states = torch.nn.functional.pad(states, (0, 0, 0, extra))
        self.targets = torch.nn.functional.pad(targets, (0, extra), value=NOT_AN_ANSWER)
        lengths = torch.tensor([len(item.ids) for item in items])
        self.real = (torch.arange(longest) < lengths[:, None]).long()

    def __len__(self) -> int:
        return len(self.states)

    def __getitem__(self, place: int) -> tuple[torch.Tensor, ...]:
        return self.states[place], self.targets[place]


class Seen(Padded):
    """The same with the mask of real places as a third part."""

    def __getitem__(self, place: int) -> tuple[torch.Tensor, ...]:
        return self.states[place], self.targets[place], self.real[place]


class Named(Dataset[dict[str, torch.Tensor]]):
    """The same as the keyword arguments of a model's call."""

    def __init__(self, padded: Padded) -> None:
        self.padded = padded

    def __len__(self) -> int:
        return len(self.padded)

    def __getitem__(self, place: int) -> dict[str, torch.Tensor]:
        states, targets = self.padded[place]
        return {"states": states, "targets": targets}


def longest_of(task: Task) -> int:
    """Tokens of the longest row or query."""
    return max(len(item.ids) for item in (*task.rows, *task.queries))


def loaders(task: Task, row_batch: int, query_batch: int) -> tuple[DataLoader[object], DataLoader[object]]:
    """Rows and queries in order, states and targets."""
    longest = longest_of(task)
    rows, queries = Padded(task.rows, longest), Padded(task.queries, longest)
    return DataLoader(rows, batch_size=row_batch), DataLoader(queries, batch_size=query_batch)  # type: ignore[arg-type]


def answer_log_probability(
    model: AdaptedTail, parameters: Mapping[str, torch.Tensor], states: torch.Tensor, targets: torch.Tensor
) -> torch.Tensor:
    """Mean log p of the answer tokens; (tokens, width) gives a scalar, (rows, tokens, width) one a row.

    Nothing here depends on values, so that it can be traced and mapped over rows.
    """
    batched = states if states.dim() == 3 else states[None]
    logits = torch.func.functional_call(model, dict(parameters), (batched,))
    logits = logits if states.dim() == 3 else logits[0]
    counts = (targets != NOT_AN_ANSWER).to(logits.dtype)
    found = logits.log_softmax(-1).gather(-1, targets.clamp(min=0)[..., None])[..., 0]
    return (found * counts).sum(-1) / counts.sum(-1)


def margin(log_probability: torch.Tensor) -> torch.Tensor:
    """log(p / (1 - p)), TRAK's model output, with p the geometric mean over an answer's tokens."""
    return log_probability - torch.log1p(-log_probability.exp().clamp(max=1 - 1e-6))


class Stopwatch:
    """CPU seconds of this process inside `with` blocks."""

    seconds = 0.0

    @contextmanager
    def running(self) -> Iterator[None]:
        """Add what the block takes."""
        began = time.process_time()
        try:
            yield
        finally:
            self.seconds += time.process_time() - began
