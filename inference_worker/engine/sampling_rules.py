"""Between the wire's sampling record and the engine's: checks against this base, grammars, token bytes."""

from __future__ import annotations

from dataclasses import dataclass

from inference_worker.engine.grammar import GrammarCompiler
from inference_worker.engine.sequence import SamplingParams, TokenProduced
from inference_worker.errors import RequestInvalid
from protocol.logprobs import ScoredToken, TokenScores
from protocol.sampling import Sampling


@dataclass(frozen=True)
class SamplingRules:
    """What a base of `vocab` tokens makes of a request's parameters. May be used from any thread."""

    grammars: GrammarCompiler
    vocab: int

    def resolve(self, asked: Sampling, max_tokens: int) -> SamplingParams:
        """The engine's parameters; compiles the schema. Raises RequestInvalid."""
        foreign = [token for token, _ in asked.logit_bias if token >= self.vocab]
        if foreign:
            raise RequestInvalid("logit_bias", foreign[0], f"token ids below {self.vocab}")
        schema = asked.json_schema
        grammar = None if schema is None else self.grammars.compile(schema, max_tokens)
        return SamplingParams(max_tokens, asked, grammar)

    def told(self, event: TokenProduced) -> TokenScores | None:
        """The scores of a token as the wire tells them."""
        if event.scores is None:
            return None
        chosen = self._scored(event.token, event.scores.logprob)
        return TokenScores(chosen, tuple(self._scored(*one) for one in event.scores.top))

    def _scored(self, token: int, logprob: float) -> ScoredToken:
        return ScoredToken(token, logprob, self.grammars.bytes_of(token))
