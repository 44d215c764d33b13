"""A question and its answer as token ids, and the model's losses on the answer tokens alone.

The system turn that all questions share is run once per batch and its keys and values are reused: the same
numbers as running it for each row (a test says so), for about half the work. Nothing here changes weights.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import torch
import torch.nn.functional as functional
from transformers import DynamicCache

BATCH = 8

KeyValues = tuple[tuple[torch.Tensor, torch.Tensor], ...]


@dataclass(frozen=True)
class Exchange:
    """Token ids of a rendered question and of its answer (end-of-turn token included)."""

    prompt: tuple[int, ...]
    answer: tuple[int, ...]

    @property
    def length(self) -> int:
        """Tokens in all."""
        return len(self.prompt) + len(self.answer)


def batches_of(exchanges: Sequence[Exchange], size: int = BATCH) -> list[list[int]]:
    """Places of alike lengths together, `size` at a time."""
    order = sorted(range(len(exchanges)), key=lambda place: (exchanges[place].length, place))
    return [order[at : at + size] for at in range(0, len(order), size)]


def common_prefix(exchanges: Sequence[Exchange]) -> tuple[int, ...]:
    """Longest shared start of the prompts; every prompt keeps at least one token of its own."""
    first = min((e.prompt for e in exchanges), default=(), key=len)[:-1]
    for exchange in exchanges:
        shared = 0
        while shared < len(first) and exchange.prompt[shared] == first[shared]:
            shared += 1
        first = first[:shared]
    return first


def prefix_states(model: Any, prefix: Sequence[int], rows: int = 1) -> KeyValues:
    """Keys and values of the shared start, one pair per layer; empty for an empty prefix."""
    if not prefix:
        return ()
    ids = torch.tensor([list(prefix)], device=model.device).expand(rows, -1)
    cache = model.get_decoder()(input_ids=ids, use_cache=True).past_key_values
    return tuple((layer.keys, layer.values) for layer in cache.layers)


def padded_ids(exchanges: Sequence[Exchange], skip: int, pad: int) -> torch.Tensor:
    """(rows, longest) ids without the first `skip`, padded on the right, where no real token can see the
    padding.
    """
    longest = max(e.length for e in exchanges) - skip
    ids = torch.full((len(exchanges), longest), pad, dtype=torch.long)
    for row, exchange in enumerate(exchanges):
        own = (exchange.prompt + exchange.answer)[skip:]
        ids[row, : len(own)] = torch.tensor(own)
    return ids


def hidden_states(model: Any, exchanges: Sequence[Exchange], skip: int, states: KeyValues) -> torch.Tensor:
    """(rows, longest - skip, width) last hidden states after the shared start."""
    ids = padded_ids(exchanges, skip, int(model.config.eos_token_id or 0)).to(model.device)
    cache = None
    if states:
        cache = DynamicCache()
        for layer, (keys, values) in enumerate(states):
            # Layers from which on one row stands for several bring as many states of their own.
            rows = max(len(ids), len(keys))
            cache.update(keys.expand(rows, -1, -1, -1), values.expand(rows, -1, -1, -1), layer)
    hidden: torch.Tensor = model.get_decoder()(
        input_ids=ids, past_key_values=cache, use_cache=cache is not None
    ).last_hidden_state
    return hidden


def token_losses(
    model: Any, exchanges: Sequence[Exchange], skip: int, states: KeyValues
) -> list[torch.Tensor]:
    """For each exchange, -log p of each answer token (nats). The output head runs on answer positions
    only.
    """
    hidden = hidden_states(model, exchanges, skip, states)
    places, targets, counts = [], [], []
    for row, exchange in enumerate(exchanges):
        start = len(exchange.prompt) - 1 - skip
        places.append(hidden[row, start : start + len(exchange.answer)])
        targets.append(torch.tensor(exchange.answer, device=hidden.device))
        counts.append(len(exchange.answer))
    logits = model.get_output_embeddings()(torch.cat(places))
    losses = functional.cross_entropy(logits.float(), torch.cat(targets), reduction="none")
    return list(torch.split(losses, counts))


def mean_losses(model: Any, exchanges: Sequence[Exchange], skip: int, states: KeyValues) -> torch.Tensor:
    """(rows,) mean -log p per answer token: a row's own term in the training objective."""
    return torch.stack([loss.mean() for loss in token_losses(model, exchanges, skip, states)])
