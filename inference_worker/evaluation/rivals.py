"""What a method that knows nothing of the adapter says of the same rows: text search and likeness of meaning.

They stand beside the attribution wherever its validity is measured, since a method that does not beat them
has not shown that it measures influence.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch

from inference_worker.base.exchange import Exchange, batches_of, common_prefix, hidden_states, prefix_states
from inference_worker.evaluation.agreement import Floats
from inference_worker.evaluation.held_out import Question
from protocol.bm25 import Bm25


def bm25_scores(questions: Sequence[Question], rows: Sequence[Question]) -> Floats:
    """(questions, rows): BM25 of each row for question and answer together."""
    search = Bm25([_text(row) for row in rows])
    found = np.zeros((len(questions), len(rows)))
    for number, question in enumerate(questions):
        for place, score in search.scores(_text(question)).items():
            found[number, place] = score
    return found


def repsim_scores(model: Any, questions: Sequence[Exchange], rows: Sequence[Exchange]) -> Floats:
    """(questions, rows): cosine of the base's mean last hidden states over question and answer, the rows'
    mean taken off: what all rows share tells none of them apart.
    """
    states = mean_states(model, [*questions, *rows])
    states = states - states[len(questions) :].mean(axis=0)
    unit = states / np.maximum(np.linalg.norm(states, axis=1, keepdims=True), 1e-12)
    found: Floats = unit[: len(questions)] @ unit[len(questions) :].T
    return found


@torch.no_grad()
def mean_states(model: Any, exchanges: Sequence[Exchange]) -> Floats:
    """(exchanges, width) mean last hidden state of each, its padding and the shared start left out."""
    shared = common_prefix(exchanges)
    prefix = prefix_states(model, shared)
    found = np.zeros((len(exchanges), int(model.config.hidden_size)))
    for places in batches_of(exchanges):
        hidden = hidden_states(model, [exchanges[place] for place in places], len(shared), prefix)
        for place, row in zip(places, hidden.double().cpu(), strict=True):
            found[place] = row[: exchanges[place].length - len(shared)].mean(0).numpy()
    return found


def _text(question: Question) -> str:
    return f"{question.prompt} {question.completion}"
