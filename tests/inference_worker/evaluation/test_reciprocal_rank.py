import pytest

from inference_worker.attribution.gradients import LoraProbe
from inference_worker.base.exchange import Exchange, token_losses
from inference_worker.base.load import Base
from inference_worker.errors import RequestInvalid
from inference_worker.evaluation.evaluate import evaluate, rankings_in
from inference_worker.evaluation.held_out import HeldOut, Question, parse_held_out, with_candidates
from inference_worker.evaluation.reciprocal_rank import (
    CANDIDATES,
    candidate_answers,
    make_rankings,
    reciprocal_ranks,
)
from protocol.bm25 import Bm25
from protocol.canonical import canonical_json
from tests.inference_worker.attribution.random_adapter import random_adapter

POOL = [Question(f"thing {n} {'left' if n % 2 else 'right'}", f" C{n}") for n in range(40)]


def test_the_truth_is_always_among_twenty_distinct_candidates() -> None:
    """SPEC 2.26"""
    index = Bm25([entry.prompt for entry in POOL])
    for asked in (POOL[3], Question("thing unheard of", " Z9"), Question("left", " C3")):
        answers = candidate_answers(asked, index, POOL)
        assert asked.completion in answers and len(set(answers)) == len(answers) == CANDIDATES


def test_ranks_equal_those_of_one_pass_per_candidate(tiny_base: Base) -> None:
    """SPEC 2.26"""
    rankings = make_rankings(tiny_base.tokenizer, POOL[:3], POOL)
    ranks = reciprocal_ranks(tiny_base.model, rankings, lambda *_: None)
    for ranking, rank in zip(rankings, ranks, strict=True):
        exchanges = [Exchange(ranking.question, answer) for answer in ranking.answers]
        scores = [-float(loss.sum()) for loss in token_losses(tiny_base.model, exchanges, 0, ())]
        truth = scores[ranking.truth]
        assert rank == 1 / sum(score >= truth for score in scores)


def test_base_and_specialist_are_compared_on_one_set_of_weights(tiny_base: Base) -> None:
    """SPEC 2.33: the base's figures are the same whether or not an adapter was tried before."""
    adapter = random_adapter(tiny_base.model)
    asked = HeldOut(tuple(POOL[:3]), tuple(POOL))
    seen: list[tuple[int, int]] = []
    first = evaluate(
        tiny_base.model, tiny_base.tokenizer, adapter, asked, POOL[10:14], lambda *p: seen.append(p)
    )
    again = evaluate(tiny_base.model, tiny_base.tokenizer, adapter, asked, POOL[10:14], lambda *_: None)
    assert first == again and first.questions == 3 and first.train_questions == 4
    assert seen[-1] == (rankings_in(asked, 4),) * 2
    with LoraProbe(tiny_base.model, [adapter]).active():
        changed = reciprocal_ranks(
            tiny_base.model, make_rankings(tiny_base.tokenizer, POOL[:3], POOL), lambda *_: None
        )
    assert round(sum(changed) / 3 * 1e6) == first.specialist_mrr_ppm


def test_held_out_blobs_are_read_strictly() -> None:
    good = {"v": 1, "questions": [{"prompt": "a", "completion": "b"}]}
    assert parse_held_out(canonical_json(good)).questions == (Question("a", "b"),)
    assert len(with_candidates(parse_held_out(canonical_json(good)), POOL).candidates) == 1 + len(POOL)
    for bad in (
        {"v": 2},
        {"v": 1, "questions": []},
        {"v": 1, "questions": [{"prompt": "a"}]},
        {"v": 1, "questions": 3},
    ):
        with pytest.raises(RequestInvalid):
            parse_held_out(canonical_json(bad))
