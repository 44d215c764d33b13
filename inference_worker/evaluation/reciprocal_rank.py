"""Reciprocal rank of the true answer among its nearest neighbours, by model log-probability."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import torch

from inference_worker.base.answer_trie import answer_logprobs
from inference_worker.base.chat import render_answer, render_question
from inference_worker.base.exchange import Exchange, common_prefix, prefix_states
from inference_worker.evaluation.held_out import Question
from protocol.bm25 import Bm25

CANDIDATES = 20

OnQuestion = Callable[[int, int], None]


@dataclass(frozen=True)
class Ranking:
    """One question as ids, with its candidates' ids; the true answer stands at `truth`."""

    question: tuple[int, ...]
    answers: tuple[tuple[int, ...], ...]
    truth: int


def make_rankings(tokenizer: Any, questions: Sequence[Question], pool: Sequence[Question]) -> list[Ranking]:
    """Each question with the distinct answers of its 20 nearest pool entries, the true one always among
    them.
    """
    index = Bm25([entry.prompt for entry in pool])
    rankings = []
    for asked in questions:
        answers = candidate_answers(asked, index, pool)
        ids = [tuple(render_answer(tokenizer, answer)) for answer in answers]
        question = tuple(render_question(tokenizer, asked.prompt))
        rankings.append(Ranking(question, tuple(ids), answers.index(asked.completion)))
    return rankings


def candidate_answers(asked: Question, index: Bm25, pool: Sequence[Question]) -> list[str]:
    """Up to 20 distinct answers by nearness of their prompts; a missing true answer takes the last place."""
    nearest = dict.fromkeys(pool[place].completion for place in index.nearest(asked.prompt, 4 * CANDIDATES))
    answers = list(nearest)[:CANDIDATES]
    if asked.completion not in answers:
        answers = [*answers[: CANDIDATES - 1], asked.completion]
    return answers


@torch.no_grad()
def reciprocal_ranks(model: Any, rankings: Sequence[Ranking], on_question: OnQuestion) -> list[float]:
    """1/rank of the truth for each question. A tie counts against the model."""
    prefix = common_prefix([Exchange(r.question, ()) for r in rankings])
    ranks = []
    states = prefix_states(model, prefix)
    for number, ranking in enumerate(rankings, start=1):
        scores = answer_logprobs(model, ranking.question, ranking.answers, len(prefix), states)
        truth = scores[ranking.truth]
        better = sum(s >= truth for place, s in enumerate(scores) if place != ranking.truth)
        ranks.append(1.0 / (1 + better))
        on_question(number, len(rankings))
    return ranks
