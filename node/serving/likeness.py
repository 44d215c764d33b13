"""How near a prompt is to questions of several domains: the cosine of their words, rare words weighing more.

Pure and deterministic: equal texts give equal floats in any order of the questions. 1 is the same words, 0
no word in common. A word that stands in no question weighs most, so that what a prompt says beside the
domain's own words takes it away from there.
"""

from __future__ import annotations

import math
import re
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence

from protocol.manifest import normal_text

WORD = re.compile(r"\w+")


class Likeness:
    """The questions of each domain, indexed by word. Words are counted over the questions of all domains,
    and as if as many again spoke of other things.
    """

    def __init__(self, domains: Mapping[str, Sequence[str]]) -> None:
        self._places = [(name, Counter(words(text))) for name in sorted(domains) for text in domains[name]]
        self._seen = Counter(word for _, counts in self._places for word in counts)
        self._postings: dict[str, list[tuple[int, float]]] = defaultdict(list)
        self._vectors = [self._unit(counts) for _, counts in self._places]
        for place, vector in enumerate(self._vectors):
            for word, weight in vector.items():
                self._postings[word].append((place, weight))

    def nearest(self, text: str) -> dict[str, float]:
        """The likeness of the nearest question of each domain that shares a word with the text."""
        return self._nearest(self._unit(Counter(words(text))), -1)

    def within(self, domain: str) -> list[float]:
        """For each question of a domain the likeness of the nearest other one there, smallest first."""
        return sorted(
            self._nearest(self._vectors[place], place).get(domain, 0.0)
            for place, (name, _) in enumerate(self._places)
            if name == domain
        )

    def _nearest(self, vector: Mapping[str, float], besides: int) -> dict[str, float]:
        dots: dict[int, list[float]] = defaultdict(list)
        for word, weight in vector.items():
            for place, other in self._postings.get(word, ()):
                dots[place].append(weight * other)
        found: dict[str, float] = {}
        for place, products in dots.items():
            if place != besides:
                name = self._places[place][0]
                # Exactly rounded sums, so that the order of words and questions changes no bit.
                found[name] = max(found.get(name, 0.0), round(math.fsum(products), 9))
        return found

    def _unit(self, counts: Mapping[str, int]) -> dict[str, float]:
        weights = {word: times * self._rarity(word) for word, times in counts.items()}
        length = math.sqrt(math.fsum(weight * weight for weight in weights.values()))
        return {word: weight / length for word, weight in weights.items()} if length else {}

    def _rarity(self, word: str) -> float:
        size, seen = 2 * len(self._places), self._seen[word]
        return math.log(1 + (size - seen + 0.5) / (seen + 0.5))


def words(text: str) -> list[str]:
    """Words and numbers, whatever their case."""
    return WORD.findall(normal_text(text).casefold())
