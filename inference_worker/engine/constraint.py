"""Holds one answer to its grammar: which tokens may come next, and a complete value within the token limit.

There is always a known way from here to a complete value that still fits: a drawn token after which none is
known gives way to the next token of the known one. So an answer is whole JSON also where the limit ends it.
"""

from __future__ import annotations

import torch
from llguidance import LLMatcher

from inference_worker.engine.closing import STEP_TRIES, Place, place_after
from inference_worker.engine.grammar import Grammar
from inference_worker.errors import WorkerError


class ConstraintBroken(WorkerError):
    """The library gave up on a grammar while an answer was made; the answer has no right end."""

    code = "constraint_broken"

    def __init__(self, produced: int, reason: str) -> None:
        super().__init__(f"after {produced} tokens: {reason}; simplify the schema")
        self.produced, self.reason = produced, reason


class Constraint:
    """The state of one answer of at most `max_tokens` tokens; `compile` has seen that one fits."""

    def __init__(self, grammar: Grammar, max_tokens: int) -> None:
        self._grammar, self._left = grammar, max_tokens
        self._matcher = grammar.matcher.deep_copy()
        self._closing = list(grammar.shortest)
        self._place, self._produced = Place.OUTSIDE, 0

    def masked(self, logits: torch.Tensor) -> torch.Tensor:
        """The logits (vocab,) with -inf where the grammar forbids a token; raises ConstraintBroken."""
        packed = self._matcher.compute_bitmask()
        self._check()
        # Bit i of byte j is token 8·j + i.
        bits = torch.frombuffer(bytearray(packed), dtype=torch.uint8)
        allowed = (bits.unsqueeze(1) >> torch.arange(8, dtype=torch.uint8)) & 1
        return logits.masked_fill(allowed.flatten()[: len(logits)] == 0, float("-inf"))

    def take(self, drawn: int) -> int:
        """Advance by the drawn token, or by the known way's where the drawn one leads too far; returns the
        token taken."""
        token = drawn if self._stays_in_reach(drawn) else self._next_of_known()
        self._left -= 1
        self._produced += 1
        if token != self._grammar.end_token:
            self._matcher.consume_token(token)
            self._check()
            self._place = place_after(self._place, self._grammar.closer.bytes_of(token))
        return token

    def _next_of_known(self) -> int:
        if not self._closing:
            return self._grammar.end_token
        token, *self._closing = self._closing
        return token

    def _stays_in_reach(self, token: int) -> bool:
        """Whether a complete value is in reach after `token`; if so, the way there becomes the known one."""
        if token == self._grammar.end_token:
            return True
        if self._closing and token == self._closing[0]:
            self._closing = self._closing[1:]
            return True
        after = self._matcher.deep_copy()
        if not after.consume_token(token):
            return False
        way = self._way_from(after, token)
        if way is None or len(way) >= self._left:
            return False
        self._closing = way
        return True

    def _way_from(self, after: LLMatcher, token: int) -> list[int] | None:
        # Within a string the old way mostly still holds, and trying it costs far less than a search.
        old = [*self._closing, self._grammar.end_token]
        if after.validate_tokens(old) == len(old):
            return self._closing
        closer = self._grammar.closer
        return closer.closing(after, place_after(self._place, closer.bytes_of(token)), STEP_TRIES)

    def _check(self) -> None:
        if self._matcher.is_error():
            raise ConstraintBroken(self._produced, self._matcher.get_error()[:300])
