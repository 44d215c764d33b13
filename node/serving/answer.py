"""A complete answer as it is kept: every streamed token and the worker's own summary, checked against each
other.
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from node.errors import Unavailable
from node.serving.live import Finished, Token
from node.serving.order import Order
from protocol.errors import ContextError
from protocol.fields import Fields
from protocol.logprobs import TokenScores
from protocol.pricing import Rates, price
from protocol.wire import GenerateResult


class AnswerRefused(Unavailable):
    """The worker's answer is incomplete or contradicts itself; it is not charged and may be asked for
    again.
    """


@dataclass(frozen=True)
class Answer:
    """What the client saw, and what the receipt is made from."""

    tokens: tuple[Token, ...]
    result: GenerateResult

    def price(self, rates: Rates) -> int:
        """Wei, by the worker's own token ids."""
        return price(len(self.result.prompt_ids), len(self.result.output_ids), rates)

    def finished(self, rates: Rates) -> Finished:
        return Finished(
            finish_reason=self.result.finish_reason,
            prompt_tokens=len(self.result.prompt_ids),
            output_tokens=len(self.result.output_ids),
            price=self.price(rates),
        )

    def to_json(self) -> str:
        tokens = [[token.token_id, token.text, _scores_json(token)] for token in self.tokens]
        return json.dumps({"tokens": tokens, "result": self.result.to_json()}, separators=(",", ":"))

    @classmethod
    def from_json(cls, text: str) -> Answer:
        fields = json.loads(text)
        tokens = tuple(
            Token(text, token_id, _read_scores(scores)) for token_id, text, scores in fields["tokens"]
        )
        return cls(tokens, GenerateResult.from_json(fields["result"]))


def _scores_json(token: Token) -> dict[str, object] | None:
    return None if token.scores is None else token.scores.to_json()


def _read_scores(value: object) -> TokenScores | None:
    return None if value is None else TokenScores.read(Fields(value, "scores"))


def check_answer(answer: Answer, order: Order, rates: Rates, reserved: int) -> None:
    """Raise unless the streamed tokens are the result's, within the limits that were reserved (wei), and the
    prompt holds the rows that it was to hold.
    """
    result, max_tokens = answer.result, order.max_tokens
    _check_context(result, order)
    streamed = tuple(token.token_id for token in answer.tokens)
    if streamed != result.output_ids:
        raise AnswerRefused(
            "the worker's result is not what it streamed",
            streamed=len(streamed),
            result=len(result.output_ids),
        )
    if result.finish_reason == "cancelled":
        raise AnswerRefused("the worker cancelled the answer")
    if len(result.output_ids) > max_tokens or answer.price(rates) > reserved:
        raise AnswerRefused(
            "the worker went past what was reserved",
            output_tokens=len(result.output_ids),
            max_tokens=max_tokens,
            price=answer.price(rates),
            reserved=reserved,
        )


def _check_context(result: GenerateResult, order: Order) -> None:
    wanted = tuple(row.row for row in order.context)
    placed = () if result.context is None else result.context.indexes
    if placed != wanted:
        raise AnswerRefused("the prompt holds other rows than were retrieved", rows=placed, retrieved=wanted)
    try:
        if result.context is not None:
            result.context.check(result.prompt_ids)
    except ContextError as error:
        raise AnswerRefused(f"the retrieved rows stand outside the prompt: {error}") from error
