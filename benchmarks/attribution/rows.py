"""Rows of a benchmark data set: a prompt, the response to it, and who contributed the pair."""

from __future__ import annotations

import hashlib
import random
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

CONTRIBUTORS = 10
TRAIN_EACH = 30
QUERIES_EACH = 10

# One fresh (prompt, response) of a contributor.
Draw = Callable[[random.Random], tuple[str, str]]


@dataclass(frozen=True)
class Row:
    """One training row or query; `contributor` counts from 0."""

    prompt: str
    response: str
    contributor: int


@dataclass(frozen=True)
class RowSet:
    """Training rows and held-out queries, each ordered by contributor; `names` are the contributors'."""

    name: str
    names: tuple[str, ...]
    train: tuple[Row, ...]
    queries: tuple[Row, ...]

    def digest(self) -> str:
        """sha256 over every row, hex: two sets with one digest hold the same text."""
        sha = hashlib.sha256()
        for row in (*self.train, *self.queries):
            sha.update(f"{row.contributor}\0{row.prompt}\0{row.response}\0".encode())
        return sha.hexdigest()


def drawn_set(name: str, seed: int, draws: Sequence[tuple[str, Draw]]) -> RowSet:
    """TRAIN_EACH rows and QUERIES_EACH queries of each contributor, no two of one contributor alike."""
    drawn = random.Random(seed)
    train: list[Row] = []
    queries: list[Row] = []
    for contributor, (_, draw) in enumerate(draws):
        fresh = _distinct(draw, drawn)
        rows = [Row(*next(fresh), contributor) for _ in range(TRAIN_EACH + QUERIES_EACH)]
        train += rows[:TRAIN_EACH]
        queries += rows[TRAIN_EACH:]
    return RowSet(name, tuple(title for title, _ in draws), tuple(train), tuple(queries))


def _distinct(draw: Draw, drawn: random.Random) -> Iterator[tuple[str, str]]:
    seen = set()
    while True:
        pair = draw(drawn)
        if pair not in seen:
            seen.add(pair)
            yield pair


def shuffled(label: str, count: int) -> list[int]:
    """0..count-1 in an order that depends on `label` alone, on every machine and version of anything."""
    return sorted(range(count), key=lambda place: hashlib.sha256(f"{label}/{place}".encode()).digest())
