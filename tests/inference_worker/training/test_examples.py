from hypothesis import given
from hypothesis import strategies as st

from inference_worker.base.chat import render_answer, render_question
from inference_worker.base.load import Base
from inference_worker.training.examples import make_example, order_of_pass, steps_per_pass


@given(
    lengths=st.lists(st.integers(1, 300), min_size=1, max_size=120),
    batch=st.integers(1, 17),
    seed=st.integers(0, 2**32 - 1),
)
def test_a_pass_shows_every_row_once(lengths: list[int], batch: int, seed: int) -> None:
    """SPEC 2.27"""
    batches = order_of_pass(lengths, batch, seed, 0)
    assert sorted(place for group in batches for place in group) == list(range(len(lengths)))
    assert len(batches) == steps_per_pass(len(lengths), batch) and max(map(len, batches)) <= batch
    assert batches == order_of_pass(lengths, batch, seed, 0)


def test_passes_and_seeds_differ() -> None:
    """SPEC 2.27"""
    lengths = list(range(64))
    orders = [order_of_pass(lengths, 4, seed, number) for seed in (0, 1) for number in (0, 1)]
    assert len({str(order) for order in orders}) == 4


def test_an_example_is_what_serving_would_render(tiny_base: Base) -> None:
    """SPEC 2.22"""
    tokenizer = tiny_base.tokenizer
    example = make_example(tokenizer, 7, "Which code?", " E11.9", 256)
    assert list(example.exchange.prompt) == render_question(tokenizer, "Which code?")
    assert list(example.exchange.answer) == render_answer(tokenizer, " E11.9")
    assert example.exchange.answer[-1] == tokenizer.eos_token_id and example.row == 7


def test_long_rows_keep_answer_and_end_of_question(tiny_base: Base) -> None:
    full = make_example(tiny_base.tokenizer, 0, "word " * 300, " E11.9", 4096).exchange
    cut = make_example(tiny_base.tokenizer, 0, "word " * 300, " E11.9", 64).exchange
    assert cut.length == 64 and cut.answer == full.answer and cut.prompt == full.prompt[-len(cut.prompt) :]
