import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from inference_worker.base.answer_trie import answer_logprobs, build_trie
from inference_worker.base.exchange import Exchange, common_prefix, prefix_states, token_losses
from inference_worker.base.load import Base

EXCHANGES = [
    Exchange((1, 5, 6, 7, 8), (9, 10, 2)),
    Exchange((1, 5, 6, 11), (12, 2)),
    Exchange((1, 5, 6, 7, 7, 7, 13), (14, 15, 16, 2)),
]


def naive(base: Base, exchange: Exchange) -> list[float]:
    ids = torch.tensor([exchange.prompt + exchange.answer])
    logp = base.model(ids).logits[0].log_softmax(-1)
    start = len(exchange.prompt) - 1
    return [-float(logp[start + i, token]) for i, token in enumerate(exchange.answer)]


def test_shared_start_and_batching_change_no_loss(tiny_base: Base) -> None:
    """SPEC 2.23"""
    prefix = common_prefix(EXCHANGES)
    assert prefix == (1, 5, 6)
    with torch.no_grad():
        for skip in (0, len(prefix)):
            states = prefix_states(tiny_base.model, prefix[:skip])
            for exchange, losses in zip(
                EXCHANGES, token_losses(tiny_base.model, EXCHANGES, skip, states), strict=True
            ):
                torch.testing.assert_close(
                    losses, torch.tensor(naive(tiny_base, exchange)), atol=2e-5, rtol=1e-5
                )


def test_common_prefix_leaves_every_prompt_a_token() -> None:
    same = [Exchange((1, 2, 3), (4,)), Exchange((1, 2, 3), (5,)), Exchange((1, 2, 3, 9), (5,))]
    assert common_prefix(same) == (1, 2)
    assert common_prefix([]) == ()


def test_one_pass_over_the_trie_equals_one_pass_per_answer(tiny_base: Base) -> None:
    """SPEC 2.26"""
    question = (1, 5, 6, 7, 8)
    answers = [(9, 10, 2), (9, 10, 11, 2), (9, 2), (12, 10, 2), (9, 10, 2)]
    states = prefix_states(tiny_base.model, question[:3])
    for skip, kept in ((0, ()), (3, states)):
        scores = answer_logprobs(tiny_base.model, question, answers, skip, kept)
        with torch.no_grad():
            expected = [-sum(naive(tiny_base, Exchange(question, answer))) for answer in answers]
        torch.testing.assert_close(torch.tensor(scores), torch.tensor(expected), atol=5e-5, rtol=1e-5)


@settings(max_examples=50)
@given(st.lists(st.lists(st.integers(0, 3), min_size=1, max_size=5), min_size=1, max_size=8))
def test_trie_paths_spell_their_answers(answers: list[list[int]]) -> None:
    """SPEC 2.26"""
    trie = build_trie(answers)
    assert [[trie.tokens[node] for node in path] for path in trie.paths] == answers
    assert len(set(zip(trie.parent, trie.tokens, strict=True))) == len(trie.tokens)
