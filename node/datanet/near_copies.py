"""Which rows say the same thing as an earlier row: equal text, or one within a small edit of it.

Words are compared as multisets, so order, case, punctuation, accents and spacing never matter. Two rows
under the same label are near copies when

    at most one word was replaced, dropped or added, and the rest, two thirds at least, is shared; or
    every word of the one is in the other, which is at most twice as long (filler was added); or
    their sets of 4-letter shingles overlap by 0.8 or more (Jaccard), which is what respelling leaves.

Rows without a label (free text) must agree on more words before a small edit counts, since short texts
say different things with one word changed. Translations and free paraphrases are not found.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter, defaultdict
from collections.abc import Iterable
from dataclasses import dataclass

from protocol.manifest import Row, normal_text

Place = tuple[int, int]

JACCARD_PERCENT = 80
SHINGLE_LETTERS = 4
MIN_WORDS_FILLED = 2
MIN_WORDS_UNLABELLED = 8
# A word is common once it stands in more than half of the rows, and in more than 50.
MIN_POSTINGS = 50
WORD = re.compile(r"\w+")


@dataclass(frozen=True)
class Fingerprint:
    """What is compared: a label that must be equal, words with counts, shingles of the
    sorted words, and the number of words."""

    label: str
    words: Counter[str]
    shingles: frozenset[str]
    size: int


def fingerprint(row: Row, subject: str | None = None, label: str = "") -> Fingerprint:
    """Of prompt and completion together, or of `subject` alone where `label` stands for the rest."""
    text = _letters(subject if subject is not None else f"{row.prompt}\n{row.completion}")
    words = Counter(WORD.findall(text))
    joined = " ".join(sorted(words.elements()))
    width = max(1, len(joined) - SHINGLE_LETTERS + 1)
    shingles = frozenset(joined[at : at + SHINGLE_LETTERS] for at in range(width))
    return Fingerprint(label, words, shingles, words.total())


def _letters(text: str) -> str:
    # Accents are dropped so that "Ménière" and "Meniere" are one word, as search engines have it.
    decomposed = unicodedata.normalize("NFKD", normal_text(text))
    return "".join(letter for letter in decomposed if not unicodedata.combining(letter)).replace("_", " ")


def is_near_copy(one: Fingerprint, other: Fingerprint) -> bool:
    """Whether the rows say the same, by the rule of this module; symmetric."""
    if one.label != other.label:
        return False
    smaller, larger = sorted((one.size, other.size))
    if larger <= 2 * smaller and smaller >= (1 if one.label else MIN_WORDS_UNLABELLED):
        shared = (one.words & other.words).total()
        one_edit = larger - shared <= 1 and 3 * shared >= 2 * larger
        filler = shared == smaller >= MIN_WORDS_FILLED
        if one_edit or filler:
            return True
    fewer, more = sorted((len(one.shingles), len(other.shingles)))
    if 100 * fewer < JACCARD_PERCENT * more:
        return False
    common = len(one.shingles & other.shingles)
    return 100 * common >= JACCARD_PERCENT * (fewer + more - common)


class NearCopyIndex:
    """The rows seen so far, by label and word, with the cluster each belongs to.

    A row joins the earliest cluster that holds a near copy of it, and no later row ever moves it: nobody can
    merge two clusters, or displace an owner, by submitting something between them.
    """

    def __init__(self) -> None:
        self._rows: list[tuple[Place, Fingerprint]] = []
        self._cluster: dict[Place, Place] = {}
        self._postings: defaultdict[tuple[str, str], list[int]] = defaultdict(list)

    def add(self, place: Place, row: Fingerprint) -> Place:
        """Take the next row in order of submission; return its cluster's canonical row, itself if new."""
        canonical = self.find(row) or place
        self._cluster[place] = canonical
        for word in row.words:
            self._postings[row.label, word].append(len(self._rows))
        self._rows.append((place, row))
        return canonical

    def find(self, row: Fingerprint) -> Place | None:
        """The canonical row of the earliest cluster with a near copy of `row`."""
        canonical = [
            self._cluster[place]
            for place, seen in (self._rows[number] for number in self._candidates(row))
            if is_near_copy(row, seen)
        ]
        return min(canonical, default=None)

    def _candidates(self, row: Fingerprint) -> Iterable[int]:
        # Words that stand in most rows tell nothing and are skipped, unless a row has no others. Of the words
        # left, near copies share all but one, or about half where many were respelt or filler came in.
        postings = [self._postings.get((row.label, word), []) for word in row.words]
        limit = max(MIN_POSTINGS, len(self._rows) // 2)
        telling = [numbers for numbers in postings if len(numbers) <= limit] or postings
        skipped = len(postings) - len(telling)
        shared: Counter[int] = Counter()
        for numbers in telling:
            shared.update(numbers)
        return sorted(
            number
            for number, count in shared.items()
            if 2 * count >= min(len(telling), len(self._rows[number][1].words) - skipped) - 1
        )
