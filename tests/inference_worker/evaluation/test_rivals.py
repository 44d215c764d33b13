import numpy as np
import torch

from inference_worker.base.chat import render_answer, render_question
from inference_worker.base.exchange import Exchange, common_prefix
from inference_worker.base.load import Base
from inference_worker.evaluation.held_out import Question
from inference_worker.evaluation.rivals import bm25_scores, mean_states, repsim_scores

ROWS = [
    Question("Which metal rusts?", "Iron rusts in wet air."),
    Question("Which bird cannot fly but swims well under the ice of the south?", "The penguin."),
    Question("Where do foxes live?", "In dens."),
]


def exchanges(base: Base, questions: list[Question]) -> list[Exchange]:
    return [
        Exchange(
            tuple(render_question(base.tokenizer, one.prompt)),
            tuple(render_answer(base.tokenizer, one.completion)),
        )
        for one in questions
    ]


def test_text_search_ranks_the_row_that_shares_the_words_first() -> None:
    """SPEC 5.225"""
    found = bm25_scores([Question("Does iron rust?", "Iron rusts."), Question("zebra", "quagga")], ROWS)
    assert found.shape == (2, 3) and found[0].argmax() == 0
    assert found[1].tolist() == [0, 0, 0]


def test_a_row_is_most_like_itself(tiny_base: Base) -> None:
    """SPEC 5.225"""
    rows = exchanges(tiny_base, ROWS)
    found = repsim_scores(tiny_base.model, rows, rows)
    assert np.allclose(np.diag(found), 1.0) and (found.argmax(1) == np.arange(3)).all()


def test_padding_and_company_change_no_row_s_state(tiny_base: Base) -> None:
    """SPEC 5.225: beside one plain pass over each row alone, with the shared start cut off by hand."""
    rows = exchanges(tiny_base, ROWS)
    together, shared = mean_states(tiny_base.model, rows), len(common_prefix(rows))
    for found, row in zip(together, rows, strict=True):
        ids = torch.tensor([[*row.prompt, *row.answer]])
        with torch.no_grad():
            alone = tiny_base.model.get_decoder()(input_ids=ids).last_hidden_state[0, shared:].mean(0)
        assert np.allclose(found, alone.double().numpy(), atol=1e-5)
