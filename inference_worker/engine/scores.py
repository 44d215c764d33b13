"""Logarithms of the probabilities that the model itself gives: before temperature, penalties and masks."""

from __future__ import annotations

import torch

from inference_worker.engine.sequence import Scores
from protocol.logprobs import DECIMALS


def score(logits: torch.Tensor, token: int, count: int) -> Scores:
    """The logprob of `token` and the `count` likeliest tokens, from raw logits (vocab,)."""
    logprobs = torch.log_softmax(logits.double(), dim=0)
    return Scores(_rounded(logprobs[token]), _likeliest(logprobs, count))


def _likeliest(logprobs: torch.Tensor, count: int) -> tuple[tuple[int, float], ...]:
    if count == 0:
        return ()
    # topk alone leaves open which of two equal ones comes, so all that reach its last value are sorted.
    least = torch.topk(logprobs, min(count, len(logprobs))).values[-1]
    places = torch.nonzero(logprobs >= least).flatten()
    ranked = places[torch.argsort(logprobs[places], descending=True, stable=True)][:count]
    return tuple((int(place), _rounded(logprobs[place])) for place in ranked)


def _rounded(logprob: torch.Tensor) -> float:
    # Adding 0.0 turns -0.0 into 0.0; rounding of the sum may have made a certain token more than certain.
    return min(0.0, round(float(logprob), DECIMALS)) + 0.0
