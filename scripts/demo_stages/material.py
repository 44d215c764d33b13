"""What the demo's contributors send and what is asked: real rows of the ICD-10-CM tables, copies and noise.

Everything is drawn by hash from the official tables, so that two runs of the same size send the same rows.
"""

import hashlib
import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from node.datanet.icd10 import PROMPT, descriptions_of, row_of, select_codes
from protocol.manifest import Row

SEED = "openledger-demo"
DIABETES = ("E08", "E09", "E10", "E11", "E13")
SEQUELAE = ("I69",)
WORD_SWAPS = {"with": "having", "without": "lacking", "unspecified": "not specified", "other": "further"}


@dataclass(frozen=True)
class Size:
    """How much of everything; rows and questions. `validity` rows are what the validity report trains on."""

    alice: int
    bob: int
    copies: int
    noise: int
    questions: int
    passes: int
    checkpoints: int
    validity: int


FULL = Size(alice=220, bob=150, copies=40, noise=50, questions=60, passes=4, checkpoints=1, validity=80)
SMALL = Size(alice=18, bob=14, copies=6, noise=8, questions=6, passes=1, checkpoints=1, validity=16)


@dataclass(frozen=True)
class Question:
    """A held-out description and its code; `owner` is the honest contributor of its chapter."""

    prompt: str
    completion: str
    owner: str


def contributions(size: Size) -> Mapping[str, tuple[Row, ...]]:
    """Rows by contributor, in the order in which they are sent."""
    alice = tuple(row_of(code) for code in _codes(DIABETES, size.alice))
    bob = tuple(row_of(code) for code in _codes(SEQUELAE, size.bob))
    return {
        "alice": alice,
        "bob": bob,
        "carol": tuple(edited(row, place) for place, row in enumerate(alice[: size.copies])),
        "dave": noise(size.noise),
    }


def questions(size: Size) -> tuple[Question, ...]:
    """Held-out questions, half from each specialist's chapter, none of them ever sent as a row."""
    half = size.questions // 2
    found = []
    for owner, prefixes, sent in (("alice", DIABETES, size.alice), ("bob", SEQUELAE, size.bob)):
        for code in select_codes(sent + half, SEED, prefixes)[sent:]:
            row = row_of(code)
            found.append(Question(row.prompt, row.completion, owner))
    return tuple(found)


def candidates(size: Size) -> tuple[Row, ...]:
    """Every code that an answer could be taken for: the rows sent and the ones held out."""
    half = size.questions // 2
    spread = [
        *select_codes(size.alice + half, SEED, DIABETES),
        *select_codes(size.bob + half, SEED, SEQUELAE),
    ]
    return tuple(row_of(code) for code in spread)


def edited(row: Row, place: int) -> Row:
    """A small edit of another's row: one of four kinds by `place`, the first of them no edit at all."""
    words = descriptions_of(row.completion)[0].split()
    if place % 4 == 1:
        words = [word.upper() if at == 0 else word for at, word in enumerate(words)]
    if place % 4 == 2:
        at = next((at for at, word in enumerate(words) if word in WORD_SWAPS), None)
        words = (
            [*words, "(disorder)"] if at is None else [*words[:at], WORD_SWAPS[words[at]], *words[at + 1 :]]
        )
    if place % 4 == 3:
        words = [*words[1:], words[0]]
    return Row(row.kind, PROMPT.format(description=" ".join(words)), row.completion, row.meta)


def noise(count: int) -> tuple[Row, ...]:
    """Rows of somebody who read nothing: real codes under shuffled foreign words, or no codes at all."""
    rng = random.Random(int.from_bytes(hashlib.sha256(SEED.encode()).digest()[:8], "big"))
    codes = select_codes(3 * count, SEED + "-noise")
    words = [word for code in codes for word in descriptions_of(code)[0].split()]
    rows = []
    for place in range(count):
        text = " ".join(rng.choice(words) for _ in range(rng.randint(3, 9)))
        code = codes[place] if place % 2 == 0 else _gibberish(rng)
        rows.append(Row("qa", PROMPT.format(description=text), code, {}))
    return tuple(rows)


def _gibberish(rng: random.Random) -> str:
    return "".join(rng.choice("abcdefghijklmnopqrstuvwxyz0123456789") for _ in range(6))


def _codes(prefixes: Sequence[str], count: int) -> tuple[str, ...]:
    return select_codes(count, SEED, prefixes)
