"""An answer is kept as it was streamed, or not at all."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.serving.answer import Answer, AnswerRefused, check_answer
from node.serving.live import Token
from node.serving.order import Order
from protocol.context import Context, ContextRow, PlacedRow
from protocol.logprobs import ScoredToken, TokenScores
from protocol.pricing import Rates
from protocol.sampling import Sampling
from protocol.wire import GenerateResult

RATES = Rates(1_000, 2_000, 7)
RESULT = GenerateResult((1, 2, 3), (10, 11), "ab", "stop", b"\1" * 32)
CONTEXT = Context(0, 2, (PlacedRow(7, 0, 1), PlacedRow(3, 1, 2)))
ANSWER = Answer((Token("a", 10), Token("b", 11)), RESULT)


def order(max_tokens: int, *rows: int) -> Order:
    return Order(None, "q", max_tokens, Sampling(), tuple(ContextRow(row, "a row") for row in rows))


@given(
    texts=st.lists(st.text(max_size=4), max_size=6), prompt=st.lists(st.integers(0, 2**32 - 1), max_size=6)
)
def test_what_was_kept_reads_back_as_it_was(texts: list[str], prompt: list[int]) -> None:
    """SPEC 6.43, 4.147"""
    scores = TokenScores(ScoredToken(5, -0.5, b"\xc3"), (ScoredToken(6, -0.25, b""),))
    tokens = tuple(Token(text, place, scores if len(text) > 1 else None) for place, text in enumerate(texts))
    result = replace(RESULT, prompt_ids=tuple(prompt), output_ids=tuple(range(len(texts))))
    answer = Answer(tokens, result)
    assert Answer.from_json(answer.to_json()) == answer


def test_an_answer_within_its_limits_passes() -> None:
    """SPEC 4.33"""
    check_answer(ANSWER, order(2), rates=RATES, reserved=ANSWER.price(RATES))
    assert ANSWER.finished(RATES).price == 3 + 4 + 7


@pytest.mark.parametrize(
    "broken",
    [
        replace(ANSWER, tokens=ANSWER.tokens[:1]),
        replace(ANSWER, tokens=(*ANSWER.tokens, Token("c", 12))),
        replace(ANSWER, result=replace(RESULT, output_ids=(11, 10))),
        replace(ANSWER, result=replace(RESULT, finish_reason="cancelled")),
        replace(ANSWER, result=replace(RESULT, prompt_ids=(1, 2, 3, 4))),
    ],
    ids=["fewer streamed", "more streamed", "other order", "cancelled", "longer prompt"],
)
def test_an_answer_that_contradicts_itself_or_its_reservation_is_refused(broken: Answer) -> None:
    """SPEC 4.33"""
    with pytest.raises(AnswerRefused):
        check_answer(broken, order(2), rates=RATES, reserved=ANSWER.price(RATES))


def test_an_answer_past_the_token_limit_is_refused() -> None:
    """SPEC 4.33"""
    with pytest.raises(AnswerRefused):
        check_answer(ANSWER, order(1), rates=RATES, reserved=10**9)


def test_the_rows_that_were_retrieved_stand_in_the_prompt_and_no_others() -> None:
    """SPEC 5.204"""
    answer = replace(ANSWER, result=replace(RESULT, context=CONTEXT))
    check_answer(answer, order(2, 7, 3), RATES, answer.price(RATES))
    assert Answer.from_json(answer.to_json()) == answer
    for asked in (order(2), order(2, 7), order(2, 3, 7), order(2, 7, 4)):
        with pytest.raises(AnswerRefused):
            check_answer(answer, asked, RATES, answer.price(RATES))
    with pytest.raises(AnswerRefused):
        check_answer(ANSWER, order(2, 7, 3), RATES, 10**9)
    outside = replace(RESULT, context=replace(CONTEXT, end=4))
    with pytest.raises(AnswerRefused):
        check_answer(replace(ANSWER, result=outside), order(2, 7, 3), RATES, 10**9)
