"""Chooses the next token from one row of logits.

Draws come from a counter, not from a stream: the n-th draw of a request is a function of its seed and n
alone, so the rest of the batch cannot change it.
"""

from __future__ import annotations

import hashlib

import torch

from protocol.sampling import Sampling

_DOMAIN = b"openledger.sampling.1"
_MANTISSA_BITS = 53
# Below this, dividing logits by the temperature could overflow, and the choice is greedy anyway.
_COLDEST = 1e-4
# How many of the likeliest tokens are ranked first: they decide nearly every draw, at a fifth of the cost.
_HEAD = 1024


def uniform(seed: int, index: int) -> float:
    """A number in [0, 1) for draw `index` of a request; seed and index below 2^64."""
    digest = hashlib.sha256(_DOMAIN + seed.to_bytes(8, "big") + index.to_bytes(8, "big")).digest()
    return (int.from_bytes(digest[:8], "big") >> (64 - _MANTISSA_BITS)) / (1 << _MANTISSA_BITS)


def sample(logits: torch.Tensor, sampling: Sampling, index: int) -> int:
    """The token for output position `index` from logits (vocab,), finite or -inf where a token is
    forbidden.
    """
    if is_greedy(sampling):
        # numpy's is eight times as fast as torch's on a CPU; of equals both take the first.
        return int(logits.cpu().numpy().argmax())
    return _nucleus(logits, sampling, uniform(sampling.seed, index))


def is_greedy(sampling: Sampling) -> bool:
    """Whether the likeliest token is always taken."""
    return sampling.temperature < _COLDEST


def _nucleus(logits: torch.Tensor, sampling: Sampling, draw: float, head: int = _HEAD) -> int:
    # float64: the cumulative sum over the vocabulary must end at 1 within far less than one token's
    # probability.
    probabilities = torch.softmax(logits.double() / sampling.temperature, dim=0)
    ranked, tokens = _ranked(probabilities, head)
    place = _place(ranked, len(ranked) == len(probabilities), sampling, draw)
    if place is None:
        # The head did not decide; all tokens do. Both give the same token wherever the head does.
        ranked, tokens = probabilities.sort(descending=True, stable=True)
        place = _place(ranked, True, sampling, draw)
        assert place is not None
    return int(tokens[place])


def _ranked(probabilities: torch.Tensor, head: int) -> tuple[torch.Tensor, torch.Tensor]:
    """The `head` likeliest and their tokens as a stable sort has them, ties by the lower token."""
    if head >= len(probabilities):
        return probabilities.sort(descending=True, stable=True)
    least = torch.topk(probabilities, head).values[-1]
    tokens = torch.nonzero(probabilities >= least).flatten()
    ranked, order = probabilities[tokens].sort(descending=True, stable=True)
    return ranked[:head], tokens[order[:head]]


def _place(ranked: torch.Tensor, is_all: bool, sampling: Sampling, draw: float) -> int | None:
    """Place of the drawn token in a ranking; None where a ranking of the likeliest alone cannot tell."""
    cumulative = ranked.cumsum(0)
    mass, kept = 1.0, max(1, int((ranked > 0).sum()))
    if sampling.top_k or sampling.top_p < 1.0 or sampling.min_p > 0.0:
        cut = _kept(ranked, cumulative, sampling)
        if not is_all and (cut == len(ranked) != sampling.top_k or sampling.top_k > len(ranked)):
            return None
        kept = min(cut, kept)
        mass = float(cumulative[kept - 1])
    place = int(torch.searchsorted(cumulative, draw * mass, right=True))
    return None if place >= len(ranked) and not is_all else min(place, kept - 1)


def _kept(ranked: torch.Tensor, cumulative: torch.Tensor, sampling: Sampling) -> int:
    """How many of the ranked tokens may be drawn: top_k, then top_p of what is left, then min_p."""
    size = min(sampling.top_k or len(ranked), len(ranked))
    mass = float(cumulative[size - 1]) if sampling.top_k else 1.0
    nucleus = int((cumulative[:size] - ranked[:size] < sampling.top_p * mass).sum())
    likely = int((ranked >= sampling.min_p * float(ranked[0])).sum())
    return max(1, min(nucleus, likely))


def finite_rows(logits: torch.Tensor) -> list[bool]:
    """Which rows of (rows, vocab) hold neither NaN nor infinity."""
    # A sum is finite only if all its terms are; one that is not may have overflowed, so its terms decide.
    sums = torch.isfinite(logits.sum(dim=1)).tolist()
    return [bool(s) or bool(torch.isfinite(row).all()) for s, row in zip(sums, logits, strict=True)]


def likeliest_rows(logits: torch.Tensor) -> list[int] | list[None]:
    """The likeliest token of each of (rows, vocab), asked of a device at once; on a CPU each row is asked
    when it is needed."""
    if logits.device.type == "cpu":
        return [None] * len(logits)
    tokens: list[int] = logits.argmax(dim=1).tolist()
    return tokens
