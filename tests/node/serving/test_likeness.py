"""Cosine of rarity-weighted words: bounded, symmetric in its inputs' order, equal to a plain computation."""

import math
import random
from collections import Counter

import pytest

from node.serving.likeness import Likeness, words
from tests.node.serving.domains import DOMAINS, GENERAL

SMALL = {name: prompts[:20] for name, prompts in DOMAINS.items()}


def plain(text: str, domains: dict[str, list[str]]) -> dict[str, float]:
    """The same by its definition, one pair at a time."""
    everything = [Counter(words(one)) for prompts in domains.values() for one in prompts]

    def vector(one: str) -> dict[str, float]:
        counts = Counter(words(one))
        seen = {word: sum(word in other for other in everything) for word in counts}
        size = 2 * len(everything)
        return {w: n * math.log(1 + (size - seen[w] + 0.5) / (seen[w] + 0.5)) for w, n in counts.items()}

    def cosine(a: dict[str, float], b: dict[str, float]) -> float:
        dot = math.fsum(a[word] * b[word] for word in a.keys() & b.keys())
        lengths = [math.sqrt(math.fsum(x * x for x in one.values())) for one in (a, b)]
        return dot / (lengths[0] * lengths[1])

    asked = vector(text)
    best = {name: max(cosine(asked, vector(one)) for one in prompts) for name, prompts in domains.items()}
    return {name: value for name, value in best.items() if value > 0}


@pytest.mark.parametrize("text", [GENERAL[0], GENERAL[5], *(prompts[30] for prompts in DOMAINS.values())])
def test_it_is_the_cosine_by_its_definition(text: str) -> None:
    """SPEC 4.164"""
    found, expected = Likeness(SMALL).nearest(text), plain(text, SMALL)
    assert found.keys() == expected.keys()
    assert all(math.isclose(found[name], expected[name], abs_tol=1e-8) for name in found)


def test_a_question_is_its_own_nearest_and_nothing_is_nearer() -> None:
    """SPEC 4.164"""
    likeness = Likeness(SMALL)
    for name, prompts in SMALL.items():
        for prompt in prompts:
            found = likeness.nearest(prompt.upper())
            assert found[name] == 1.0 and all(0 < value <= 1 for value in found.values())


def test_neither_order_nor_repetition_of_a_call_changes_a_bit() -> None:
    """SPEC 4.164"""
    shuffled = {
        name: random.Random(3).sample(SMALL[name], len(SMALL[name])) for name in reversed(list(SMALL))
    }
    one, other = Likeness(SMALL), Likeness(shuffled)
    for text in GENERAL:
        assert one.nearest(text) == other.nearest(text)
        mixed = " ".join(reversed(text.split()))
        assert one.nearest(mixed) == one.nearest(text)
    for name in SMALL:
        assert one.within(name) == other.within(name)


@pytest.mark.parametrize("text", ["", "  ?! ", "xyzzy"])
def test_no_shared_word_is_no_likeness(text: str) -> None:
    """SPEC 4.164"""
    assert Likeness(SMALL).nearest(text) == {}
    assert Likeness({}).nearest(text) == {}
