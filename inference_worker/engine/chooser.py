"""One answer's choice of tokens: penalties and biases, the grammar, the draw, and the scores to tell.

Everything is a function of the request's own logits, prompt and earlier tokens, so that the rest of the
batch cannot change it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch

from inference_worker.engine.constraint import Constraint
from inference_worker.engine.penalties import PenaltyState, reshapes
from inference_worker.engine.sampler import is_greedy, sample
from inference_worker.engine.scores import score
from inference_worker.engine.sequence import SamplingParams, Scores


@dataclass(frozen=True)
class Choice:
    """The token of one place, and its scores where they were asked for."""

    token: int
    scores: Scores | None


class Chooser:
    """Chooses the tokens of one answer in their order."""

    def __init__(self, params: SamplingParams, prompt_ids: Sequence[int]) -> None:
        self._sampling = params.sampling
        self._penalties = PenaltyState(params.sampling, prompt_ids) if reshapes(params.sampling) else None
        self._constraint = Constraint(params.grammar, params.max_tokens) if params.grammar else None
        asked = params.sampling
        changed = reshapes(asked) or params.grammar is not None or asked.logprobs is not None
        self._takes_likeliest = is_greedy(asked) and not changed

    def choose(self, logits: torch.Tensor, index: int, likeliest: int | None = None) -> Choice:
        """The token for output position `index` from finite logits (vocab,), of which the likeliest may be
        known; raises ConstraintBroken."""
        if likeliest is not None and self._takes_likeliest:
            return Choice(likeliest, None)
        logits = logits.cpu()
        shaped = logits if self._penalties is None else self._penalties.apply(logits)
        if self._constraint is None:
            token = sample(shaped, self._sampling, index)
        else:
            token = self._constraint.take(sample(self._constraint.masked(shaped), self._sampling, index))
        if self._penalties is not None:
            self._penalties.count(token)
        wanted = self._sampling.logprobs
        return Choice(token, None if wanted is None else score(logits, token, wanted))
