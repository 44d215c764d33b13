"""BM25 over short texts, to find the nearest wrong answers. Ties go to the lower index, so results never
move.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Sequence

K1 = 1.5
B = 0.75
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Case-folded words and numbers."""
    return _WORD.findall(text.casefold())


class Bm25:
    """An inverted index over `texts` with the usual constants (k1 1.5, b 0.75)."""

    def __init__(self, texts: Sequence[str]) -> None:
        counts = [Counter(words(text)) for text in texts]
        lengths = [sum(count.values()) for count in counts]
        mean = max(sum(lengths) / max(len(lengths), 1), 1.0)
        self._size = len(texts)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        for place, count in enumerate(counts):
            norm = K1 * (1 - B + B * lengths[place] / mean)
            for word, times in count.items():
                self._postings[word].append((place, times * (K1 + 1) / (times + norm)))

    def scores(self, query: str) -> dict[int, float]:
        """Score of each text that shares a word with the query."""
        found: dict[int, float] = defaultdict(float)
        for word in words(query):
            postings = self._postings.get(word, [])
            rarity = math.log(1 + (self._size - len(postings) + 0.5) / (len(postings) + 0.5))
            for place, weight in postings:
                found[place] += rarity * weight
        return found

    def nearest(self, query: str, count: int) -> list[int]:
        """Indexes of the `count` best texts, best first."""
        found = self.scores(query)
        return sorted(found, key=lambda place: (-found[place], place))[:count]
