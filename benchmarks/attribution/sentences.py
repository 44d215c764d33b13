"""The set `sent`: ten ways to transform a sentence, after the description in the DataInf paper (Kwon et al.,
2024, section 5); sentences are drawn from word lists of our own.
"""

from __future__ import annotations

import random
from collections.abc import Callable

from benchmarks.attribution.rows import Draw, RowSet, drawn_set

_WHO = (
    "the grey fox", "our ferryman", "a nervous tailor", "the night guard", "my grandmother",
    "the young miller", "a retired captain", "the choir master", "her two cousins",
    "the glass blower", "a lost tourist", "the shepherd", "an old violinist", "the postmaster",
    "a stubborn goat", "the beekeeper", "his apprentice", "the lighthouse keeper",
    "a travelling monk", "the bus driver",
)  # fmt: skip
_DOES = (
    "polished", "buried", "weighed", "sketched", "mended", "swapped", "folded", "guarded", "tasted",
    "wrapped", "misplaced", "rescued", "examined", "auctioned", "sharpened", "hung up", "unlocked",
    "sorted", "shipped", "lit",
)  # fmt: skip
_WHAT = (
    "four clay pots", "the rusty anchor", "a jar of honey", "the royal seal", "some dried figs",
    "a brass kettle", "the winter coats", "an ivory comb", "the last ticket", "a sack of barley",
    "the oak ladder", "a silk scarf", "nine candles", "the cracked bell", "a roll of linen",
    "the spare wheel", "two walnut chairs", "a tin whistle", "the garden gate", "a crate of lemons",
)  # fmt: skip
_WHEN = (
    "before the harvest", "beside the well", "on a rainy tuesday", "in the attic",
    "near the frontier", "after supper", "at the ferry landing", "without asking",
    "under a full moon", "for the wedding", "behind the stables", "during the eclipse",
    "in plain sight", "by the frozen lake", "at noon", "along the canal", "with both hands",
    "above the workshop", "since the flood", "at the county fair",
)  # fmt: skip
_VOWELS = "aeiou"


def _sentence(drawn: random.Random) -> str:
    return " ".join(drawn.choice(part) for part in (_WHO, _DOES, _WHAT, _WHEN))


def _every_other_letter(text: str) -> str:
    return "".join(c.upper() if place % 2 == 0 else c for place, c in enumerate(text))


def _is_consonant(c: str) -> bool:
    return c.isalpha() and c not in _VOWELS


TRANSFORMATIONS: dict[str, Callable[[str], str]] = {
    "Reverse the order of the words": lambda s: " ".join(reversed(s.split())),
    "Capitalize every other letter": _every_other_letter,
    "Insert the number 1 between all words": lambda s: " 1 ".join(s.split()),
    "Replace each vowel with a star": lambda s: "".join("*" if c in _VOWELS else c for c in s),
    "Double every consonant": lambda s: "".join(c * 2 if _is_consonant(c) else c for c in s),
    "Capitalize each word": lambda s: s.title(),
    "Remove all vowels": lambda s: "".join(c for c in s if c not in _VOWELS),
    "Add ly to the end of each word": lambda s: " ".join(word + "ly" for word in s.split()),
    "Remove all consonants": lambda s: "".join(c for c in s if not _is_consonant(c)),
    "Repeat each word twice": lambda s: " ".join(f"{word} {word}" for word in s.split()),
}


def sentences(seed: int) -> RowSet:
    """The set; a contributor is a transformation."""
    return drawn_set("sent", seed, [(title, _draw(title)) for title in TRANSFORMATIONS])


def _draw(title: str) -> Draw:
    def draw(drawn: random.Random) -> tuple[str, str]:
        text = _sentence(drawn)
        return f"{title}.\nSentence: {text}\nResult:", f" {TRANSFORMATIONS[title](text)}"

    return draw
