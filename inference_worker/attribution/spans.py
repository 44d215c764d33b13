"""Exact token spans that an answer shares with rows: what rule `span-1` may credit, and thresholds measured
on a null.

What is credited follows `protocol.spans`; this module only finds matches. Answers are looked up in a
`SuffixIndex`; the null needs every maximal match and has its own index, in memory only.
"""

from __future__ import annotations

import random
from bisect import bisect_left
from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from inference_worker.attribution.suffix_index import SuffixIndex
from inference_worker.attribution.token_classes import TokenClasses
from protocol.spans import Match, least_tokens

SEED_TOKENS = 2
NULL_DRAWS = 1000
NULL_PERCENT = 1
SMALLEST_THRESHOLD = 3


@dataclass(frozen=True)
class TokenRow:
    """A row's index in the manifest and its token ids, question then answer."""

    row: int
    tokens: tuple[int, ...]


class SpanIndex:
    """Places of every pair of adjacent tokens, by row; matches grow from those."""

    def __init__(self, rows: Sequence[TokenRow]) -> None:
        self._tokens = {row.row: row.tokens for row in rows}
        self._places: dict[tuple[int, ...], list[tuple[int, int]]] = defaultdict(list)
        for row in sorted(rows, key=lambda r: r.row):
            for at in range(len(row.tokens) - SEED_TOKENS + 1):
                self._places[row.tokens[at : at + SEED_TOKENS]].append((row.row, at))

    def maximal_matches(self, output: Sequence[int], minimum: int = SEED_TOKENS) -> Iterator[Match]:
        """Every match of at least `minimum` (>= 2) tokens that can be extended on neither side."""
        ids = tuple(output)
        for start in range(len(ids) - SEED_TOKENS + 1):
            for row, at in self._places.get(ids[start : start + SEED_TOKENS], ()):
                tokens = self._tokens[row]
                if start > 0 and at > 0 and ids[start - 1] == tokens[at - 1]:
                    continue
                length = SEED_TOKENS
                while (
                    start + length < len(ids)
                    and at + length < len(tokens)
                    and ids[start + length] == tokens[at + length]
                ):
                    length += 1
                if length >= minimum:
                    yield Match(start, length, row, at)

    def longest(self, output: Sequence[int]) -> Match | None:
        """The longest match; ties by lowest start, then lowest row."""
        return min(
            self.maximal_matches(output), key=lambda m: (-m.length, m.start, m.row, m.row_start), default=None
        )


def credited_matches(index: SuffixIndex, output: Sequence[int], registered: int) -> list[Match]:
    """What the cover can take of the matches as long as the model's registration asks, whatever their class:
    the contracts know that one number, and an omitted match that reaches it is a fault.
    """
    return index.leading_matches(output, least_tokens(registered))


def measured_thresholds(
    index: SpanIndex, answers: Sequence[Sequence[int]], classes: TokenClasses, seed: int
) -> dict[str, int]:
    """By class, the least length that at most 1 % of shuffled answers reach by chance.

    The null: answers of a length drawn from the rows', each token drawn from all answers' tokens. It has
    the rows' vocabulary and none of their order.
    """
    drawn = random.Random(seed)
    tokens = [token for answer in answers for token in answer]
    lengths = [len(answer) for answer in answers]
    longest: dict[str, list[int]] = defaultdict(list)
    for _ in range(NULL_DRAWS if tokens else 0):
        output = [drawn.choice(tokens) for _ in range(drawn.choice(lengths))]
        best: dict[str, int] = defaultdict(int)
        for kind in {classes.of_token(token) for token in output}:
            best[kind] = 0
        for match in index.maximal_matches(output):
            kind = classes.of_span(output[match.start : match.start + match.length])
            best[kind] = max(best[kind], match.length)
        for kind, length in best.items():
            longest[kind].append(length)
    return {kind: threshold_of(sorted(found)) for kind, found in sorted(longest.items())}


def threshold_of(lengths: Sequence[int]) -> int:
    """The least length (ascending `lengths` given) that at most NULL_PERCENT of them reach."""
    allowed = len(lengths) * NULL_PERCENT // 100
    for candidate in range(SMALLEST_THRESHOLD, max(lengths) + 2):
        if len(lengths) - bisect_left(lengths, candidate) <= allowed:
            return candidate
    return SMALLEST_THRESHOLD
