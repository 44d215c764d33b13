"""Penalties and biases on one row of logits, by the tokens that its request has seen and produced.

In float64 and element by element, so that a row's result is the same bits in any batch.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import torch

from protocol.sampling import Sampling


def reshapes(sampling: Sampling) -> bool:
    """Whether logits are changed before the grammar and the draw."""
    penalised = sampling.frequency_penalty or sampling.presence_penalty
    return bool(penalised or sampling.repetition_penalty != 1.0 or sampling.logit_bias)


class PenaltyState:
    """Counts the tokens of one answer. The order is: repetition, frequency and presence, bias."""

    def __init__(self, sampling: Sampling, prompt_ids: Sequence[int]) -> None:
        self._sampling = sampling
        self._seen = set(prompt_ids)
        self._counts: Counter[int] = Counter()

    def count(self, token: int) -> None:
        """Take note of a produced token."""
        self._seen.add(token)
        self._counts[token] += 1

    def apply(self, logits: torch.Tensor) -> torch.Tensor:
        """A float64 copy of the logits (vocab,) with everything applied."""
        shaped = logits.double()
        sampling = self._sampling
        if sampling.repetition_penalty != 1.0:
            _repetition(shaped, sorted(self._seen), sampling.repetition_penalty)
        if self._counts and (sampling.frequency_penalty or sampling.presence_penalty):
            places = torch.tensor(list(self._counts), device=shaped.device)
            counts = torch.tensor(list(self._counts.values()), dtype=torch.float64, device=shaped.device)
            shaped[places] -= counts * sampling.frequency_penalty + sampling.presence_penalty
        for token, bias in sampling.logit_bias:
            shaped[token] += bias
        return shaped


def _repetition(logits: torch.Tensor, seen: Sequence[int], penalty: float) -> None:
    places = torch.tensor(seen, device=logits.device)
    values = logits[places]
    logits[places] = torch.where(values > 0, values / penalty, values * penalty)
