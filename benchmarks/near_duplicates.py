"""How many copies escape curation: small edits of real ICD-10-CM rows, by kind of edit.

Run: python -m benchmarks.near_duplicates [rows]. "Caught" means linked to the original or rejected, so that
the copier earns nothing. The last figure is the price: official inclusion terms, which are honest other
wordings of a code's description, that the rule links all the same.
"""

from __future__ import annotations

import json
import random
import re
import sys
from collections import Counter
from collections.abc import Callable

from node.datanet.curation import Candidate, Verdict, review, row_fingerprint
from node.datanet.icd10 import Icd10Cm, descriptions_of, row_of, select_codes
from node.datanet.near_copies import is_near_copy

SYSTEM = Icd10Cm()
SYNONYMS = {
    "acute": "sudden",
    "disease": "illness",
    "disorder": "disturbance",
    "due": "owing",
    "encounter": "visit",
    "fracture": "break",
    "initial": "first",
    "injury": "trauma",
    "left": "left-sided",
    "other": "different",
    "right": "right-sided",
    "subsequent": "later",
    "unspecified": "undetermined",
    "with": "having",
    "without": "lacking",
}
FILLER = ("please note", "patient with", "documented as", "diagnosis of", "a case of")

Edit = Callable[[str, random.Random], str]


def change_case(text: str, rng: random.Random) -> str:
    """Upper, lower or title case."""
    return rng.choice([text.upper(), text.lower(), text.title()])


def change_punctuation(text: str, rng: random.Random) -> str:
    """Punctuation dropped, or put between words."""
    choices = [re.sub(r"[^\w\s]", " ", text), text.replace(" ", " - "), text.replace(" ", ", ", 1) + "."]
    return rng.choice(choices)


def swap_words(text: str, rng: random.Random) -> str:
    """Two words change places."""
    words = text.split()
    one, other = rng.randrange(len(words)), rng.randrange(len(words))
    words[one], words[other] = words[other], words[one]
    return " ".join(words)


def replace_word(text: str, rng: random.Random) -> str:
    """One word becomes its synonym, or any other word where the list has none."""
    words = text.split()
    known = [place for place, word in enumerate(words) if word.lower() in SYNONYMS]
    place = rng.choice(known or list(range(len(words))))
    words[place] = SYNONYMS.get(words[place].lower(), "condition")
    return " ".join(words)


def drop_word(text: str, rng: random.Random) -> str:
    """One word is left out."""
    words = text.split()
    if len(words) > 1:
        words.pop(rng.randrange(len(words)))
    return " ".join(words)


def add_filler(text: str, rng: random.Random) -> str:
    """Words that say nothing, before or after."""
    filler = rng.choice(FILLER)
    return rng.choice([f"{filler} {text}", f"{text}, {filler}"])


def misspell(text: str, rng: random.Random) -> str:
    """One letter becomes another."""
    places = [place for place, letter in enumerate(text) if letter.isalpha()]
    place = rng.choice(places)
    return text[:place] + rng.choice("abcdefghijklmnopqrstuvwxyz") + text[place + 1 :]


EDITS: dict[str, Edit] = {
    "case": change_case,
    "punctuation": change_punctuation,
    "word order": swap_words,
    "one synonym": replace_word,
    "one word dropped": drop_word,
    "filler added": add_filler,
    "one letter": misspell,
}


def escaped(code: str, edited: str) -> bool:
    """Whether a copy with this description would earn beside the original."""
    original, copy = Candidate((1, 0), row_of(code)), Candidate((2, 0), row_of(code, edited))
    return review([original, copy], SYSTEM)[1].verdict is Verdict.ACCEPTED


def measure(rows: int, seed: int = 7) -> dict[str, float]:
    """Fraction caught by kind of edit, of two edits at once, and of honest other wordings."""
    rng = random.Random(seed)
    caught: Counter[str] = Counter()
    codes = select_codes(rows, f"near-duplicates-{seed}")
    for code in codes:
        text = descriptions_of(code)[0]
        for name, edit in EDITS.items():
            caught[name] += not escaped(code, edit(text, rng))
        one, other = rng.sample(list(EDITS.values()), 2)
        caught["two edits"] += not escaped(code, other(one(text, rng), rng))
    figures = {name: caught[name] / rows for name in (*EDITS, "two edits")}
    figures["all single edits"] = sum(caught[name] for name in EDITS) / (rows * len(EDITS))
    return figures | {"honest other wordings linked": _honest_linked(codes)}


def _honest_linked(codes: tuple[str, ...]) -> float:
    pairs = []
    for code in codes:
        official, *terms = (row_fingerprint(row_of(code, text), SYSTEM) for text in descriptions_of(code))
        pairs += [(official, term) for term in terms]
    return sum(is_near_copy(*pair) for pair in pairs) / max(1, len(pairs))


def main() -> int:
    """Print the figures as JSON."""
    rows = int(sys.argv[1]) if len(sys.argv) > 1 else 1000
    figures = {name: round(fraction, 4) for name, fraction in measure(rows).items()}
    print(json.dumps({"rows": rows, "caught": figures}, indent=1))
    return 0


if __name__ == "__main__":
    sys.exit(main())
