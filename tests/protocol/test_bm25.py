"""BM25 against its formula, and against itself in another order."""

import math
from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol import bm25
from protocol.bm25 import K1, SCALE, B, Bm25, words

TEXTS = [
    "acute sinusitis left",
    "acute pharyngitis",
    "chronic sinusitis",
    "fracture of left femur",
    "left left left",
]
WORDS = st.sampled_from(["acute", "chronic", "left", "right", "of", "femur"])
SAID = st.lists(WORDS, max_size=8).map(" ".join)


def by_formula(texts: list[str], query: str, place: int) -> float:
    mean = max(sum(len(words(text)) for text in texts) / len(texts), 1.0)
    count, found = Counter(words(texts[place])), 0.0
    for word in words(query):
        holders = sum(word in words(text) for text in texts)
        rarity = math.log(1 + (len(texts) - holders + 0.5) / (holders + 0.5))
        norm = K1 * (1 - B + B * len(words(texts[place])) / mean)
        found += rarity * count[word] * (K1 + 1) / (count[word] + norm)
    return found


@given(st.lists(SAID, min_size=1, max_size=12), SAID)
def test_scores_equal_the_formula(texts: list[str], query: str) -> None:
    """SPEC 5.200"""
    scores = Bm25(texts).scores(query)
    for place in range(len(texts)):
        expected = by_formula(texts, query, place)
        assert scores.get(place, 0) / SCALE**2 == pytest.approx(expected, abs=1e-4)


@given(st.lists(SAID, min_size=1, max_size=12), SAID, st.randoms())
def test_the_order_of_a_querys_words_changes_no_bit(texts: list[str], query: str, draw: object) -> None:
    """SPEC 5.200"""
    index, said = Bm25(texts), query.split()
    draw.shuffle(said)  # type: ignore[attr-defined]
    assert index.scores(" ".join(said)) == index.scores(query)


def test_equal_texts_rank_by_index() -> None:
    """SPEC 5.200"""
    assert Bm25(["left", "right", "left", "left"]).nearest("left", 3) == [0, 2, 3]
    assert Bm25(TEXTS).nearest("acute left sinusitis", 9)[0] == 0
    assert Bm25([]).nearest("left", 3) == []


def test_common_words_are_passed_over_once_the_rare_ones_have_read_enough(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """SPEC 5.200: what a query costs is bounded, and its rarest word always counts."""
    monkeypatch.setattr(bm25, "MAX_POSTINGS", 1)
    assert set(Bm25(TEXTS).scores("left femur")) == {3}
