"""BM25 over short texts, in whole numbers: equal texts and queries give equal scores on every machine.

A weight is rounded once, to millionths, and sums are of integers, so neither the order of words nor the
library of logarithms moves a rank. Ties go to the lower index.
"""

import math
import re
from array import array
from collections import Counter, defaultdict
from collections.abc import Iterable

K1 = 1.5
B = 0.75
SCALE = 1_000_000
# A query reads the postings of its rarest words first, and of no more words once it has read so many.
MAX_POSTINGS = 1 << 20
_WORD = re.compile(r"\w+")


def words(text: str) -> list[str]:
    """Case-folded words and numbers."""
    return _WORD.findall(text.casefold())


class Bm25:
    """An inverted index over `texts` with the usual constants (k1 1.5, b 0.75); 8 bytes for each word of
    each text.
    """

    def __init__(self, texts: Iterable[str]) -> None:
        places: dict[str, array[int]] = defaultdict(lambda: array("I"))
        times: dict[str, array[int]] = defaultdict(lambda: array("I"))
        self._lengths = array("I")
        for place, text in enumerate(texts):
            count = Counter(words(text))
            self._lengths.append(sum(count.values()))
            for word, often in count.items():
                places[word].append(place)
                times[word].append(often)
        self._places, self._times = dict(places), dict(times)
        self._mean = max(sum(self._lengths) / max(len(self._lengths), 1), 1.0)

    def scores(self, query: str) -> dict[int, int]:
        """Score in millionths of a millionth of each text that shares a word with the query."""
        found: dict[int, int] = defaultdict(int)
        read = 0
        # The rarest first: a word that a large part of all texts has says little, and costs the most.
        known = [word for word in words(query) if word in self._places]
        for word in sorted(known, key=lambda word: (len(self._places[word]), word)):
            if read >= MAX_POSTINGS:
                break
            read += len(self._places[word])
            rarity = self._rarity(len(self._places[word]))
            for place, often in zip(self._places[word], self._times[word], strict=True):
                found[place] += rarity * self._weight(place, often)
        return found

    def nearest(self, query: str, count: int) -> list[int]:
        """Indexes of the `count` best texts, best first."""
        found = self.scores(query)
        return sorted(found, key=lambda place: (-found[place], place))[:count]

    def _rarity(self, holders: int) -> int:
        return round(SCALE * math.log(1 + (len(self._lengths) - holders + 0.5) / (holders + 0.5)))

    def _weight(self, place: int, often: int) -> int:
        norm = K1 * (1 - B + B * self._lengths[place] / self._mean)
        return round(SCALE * often * (K1 + 1) / (often + norm))
