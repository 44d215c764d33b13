"""Methods that look at texts and states alone: chance, BM25, centred state cosine, longest shared span."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from benchmarks.attribution.features import Features
from benchmarks.attribution.task import Item, Scores, Task
from protocol.bm25 import Bm25


def chance(task: Task, seed: int) -> Scores:
    """Normal numbers."""
    return np.random.default_rng(seed).standard_normal((len(task.queries), len(task.rows)))


def bm25(task: Task) -> Scores:
    """Prompt and response of the query against prompt and response of each row."""
    index = Bm25([f"{row.prompt} {row.response}" for row in task.rows])
    scores = np.zeros((len(task.queries), len(task.rows)))
    for place, query in enumerate(task.queries):
        for row, value in index.scores(f"{query.prompt} {query.response}").items():
            scores[place, row] = value
    return scores


def state_cosine(made: Features) -> Scores:
    """Cosine of mean answer states less the rows' mean state (RepSim)."""
    centre = made.row_states.mean(axis=0)
    return unit(made.query_states - centre) @ unit(made.row_states - centre).T


def longest_span(task: Task) -> Scores:
    """Tokens of the longest run that the query's response shares with a row."""
    answers = [_tokens(query, query.start) for query in task.queries]
    rows = [_tokens(row, 0) for row in task.rows]
    return np.array([[longest_run(answer, row) for row in rows] for answer in answers], dtype=np.float64)


def longest_run(first: Sequence[int], second: Sequence[int]) -> int:
    """Length of the longest common run of two sequences."""
    best = 0
    before = np.zeros(len(second) + 1, dtype=np.int64)
    other = np.asarray(second)
    for token in first:
        here = np.zeros_like(before)
        here[1:] = np.where(other == token, before[:-1] + 1, 0)
        best = max(best, int(here.max()))
        before = here
    return best


def unit(vectors: np.ndarray) -> Scores:
    """Rows of length one, in float64; a zero row stays zero."""
    exact = vectors.astype(np.float64)
    lengths = np.linalg.norm(exact, axis=1, keepdims=True)
    scaled: Scores = exact / np.maximum(lengths, 1e-30)
    return scaled


def _tokens(item: Item, start: int) -> list[int]:
    found: list[int] = item.ids[start:].tolist()
    return found
