"""Chooses the next token from one row of logits.

Draws come from a counter, not from a stream: the n-th draw of a request is a function of its seed and n
alone, so the rest of the batch cannot change it.
"""

from __future__ import annotations

import hashlib

import torch

from inference_worker.engine.sequence import SamplingParams

_DOMAIN = b"openledger.sampling.1"
_MANTISSA_BITS = 53
# Below this, dividing logits by the temperature could overflow, and the choice is greedy anyway.
_COLDEST = 1e-4


def uniform(seed: int, index: int) -> float:
    """A number in [0, 1) for draw `index` of a request; seed and index below 2^64."""
    digest = hashlib.sha256(_DOMAIN + seed.to_bytes(8, "big") + index.to_bytes(8, "big")).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _MANTISSA_BITS)) / (1 << _MANTISSA_BITS)


def sample(logits: torch.Tensor, params: SamplingParams, index: int) -> int:
    """The token for output position `index` from logits (vocab,), finite or -inf where a token is
    forbidden.
    """
    if params.temperature < _COLDEST:
        return int(logits.argmax())
    return _nucleus(logits, params, uniform(params.seed, index))


def _nucleus(logits: torch.Tensor, params: SamplingParams, draw: float) -> int:
    # float64: the cumulative sum over the vocabulary must end at 1 within far less than one token's
    # probability.
    probabilities = torch.softmax(logits.double() / params.temperature, dim=0)
    ranked, tokens = probabilities.sort(descending=True, stable=True)
    cumulative = ranked.cumsum(0)
    kept = _kept(ranked, cumulative, params)
    target = draw * float(cumulative[kept - 1])
    position = int(torch.searchsorted(cumulative[:kept], target, right=True))
    return int(tokens[min(position, kept - 1)])


def _kept(ranked: torch.Tensor, cumulative: torch.Tensor, params: SamplingParams) -> int:
    """How many of the ranked tokens may be drawn: top_k, then top_p of what is left, then min_p."""
    size = min(params.top_k or len(ranked), len(ranked))
    mass = float(cumulative[size - 1]) if size < len(ranked) else 1.0
    nucleus = int((cumulative[:size] - ranked[:size] < params.top_p * mass).sum())
    likely = int((ranked >= params.min_p * float(ranked[0])).sum())
    possible = int((ranked > 0).sum())
    return max(1, min(nucleus, likely, possible))


def finite_rows(logits: torch.Tensor) -> list[bool]:
    """Which rows of (rows, vocab) hold neither NaN nor infinity."""
    low, high = logits.aminmax(dim=1)
    return [bool(x) for x in torch.isfinite(low) & torch.isfinite(high)]
