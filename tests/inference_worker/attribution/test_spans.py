from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from inference_worker.attribution.report import token_texts
from inference_worker.attribution.shard_folder import SpanRow, memory_shards
from inference_worker.attribution.spans import (
    SpanIndex,
    TokenRow,
    credited_matches,
    measured_thresholds,
    threshold_of,
)
from inference_worker.attribution.suffix_index import SuffixIndex
from inference_worker.attribution.token_classes import BYTES, DIGIT, NEUTRAL, TokenClasses, class_of_text
from inference_worker.base.load import Base
from protocol.spans import Match

TOKENS = st.lists(st.integers(0, 4), min_size=0, max_size=14)


def naive(rows: list[list[int]], output: list[int]) -> set[tuple[int, int, int, int]]:
    found = set()
    for row, tokens in enumerate(rows):
        for start in range(len(output)):
            for at in range(len(tokens)):
                length = 0
                while (
                    start + length < len(output)
                    and at + length < len(tokens)
                    and output[start + length] == tokens[at + length]
                ):
                    length += 1
                left = start > 0 and at > 0 and output[start - 1] == tokens[at - 1]
                if length >= 2 and not left:
                    found.add((start, length, row, at))
    return found


def in_shards(rows: Sequence[tuple[int, ...]]) -> SuffixIndex:
    return memory_shards([SpanRow(n, "", True) for n in range(len(rows))], rows.__getitem__)


@given(rows=st.lists(TOKENS, max_size=4), output=TOKENS)
def test_matches_are_all_maximal_ones_and_no_others(rows: list[list[int]], output: list[int]) -> None:
    """SPEC 5.23"""
    index = SpanIndex([TokenRow(n, tuple(tokens)) for n, tokens in enumerate(rows)])
    found = [(m.start, m.length, m.row, m.row_start) for m in index.maximal_matches(output)]
    assert len(found) == len(set(found)) and set(found) == naive(rows, output)


def test_shuffled_answers_rarely_reach_the_threshold(tiny_base: Base) -> None:
    """SPEC 5.31"""
    classes = TokenClasses(tiny_base.tokenizer)
    texts = [f" E{n % 7}{n % 10}.{n % 6} left eye" for n in range(60)]
    answers = [tuple(tiny_base.tokenizer(t, add_special_tokens=False)["input_ids"]) for t in texts]
    index = SpanIndex([TokenRow(n, ids) for n, ids in enumerate(answers)])
    measured = measured_thresholds(index, answers, classes, seed=1)
    assert measured == measured_thresholds(index, answers, classes, seed=1) and min(measured.values()) >= 3
    own = credited_matches(in_shards(answers), answers[0], 3)
    assert any(match.length == len(answers[0]) and match.row == 0 for match in own)


def test_the_registered_length_alone_binds(tiny_base: Base) -> None:
    """SPEC 5.31, 5.63"""
    ids = tuple(
        tiny_base.tokenizer(" acute sinusitis of the left side", add_special_tokens=False)["input_ids"]
    )
    index = in_shards([ids])
    short = ids[:4]
    assert [m.length for m in credited_matches(index, short, 4)] == [4]
    assert [m.length for m in credited_matches(index, short, 0)] == [4]
    assert credited_matches(index, short, 5) == []


def test_threshold_allows_one_in_a_hundred() -> None:
    """SPEC 5.31"""
    assert threshold_of(sorted([2] * 98 + [5, 9])) == 6
    assert threshold_of([2] * 100) == 3


def test_classes_follow_the_first_letter() -> None:
    """SPEC 5.31"""
    texts = {
        " left": "latin",
        " привет": "cyrillic",
        "7": DIGIT,
        " .": NEUTRAL,
        "\ufffd": BYTES,
        "7a": "latin",
    }
    assert {text: class_of_text(text) for text in texts} == texts


def test_token_texts_join_to_the_answer(tiny_base: Base) -> None:
    """SPEC 5.30"""
    for text in (" E11.9", "naïve 你好 🩺 done", ""):
        ids = tiny_base.tokenizer(text, add_special_tokens=False)["input_ids"]
        pieces = token_texts(tiny_base.tokenizer, ids)
        assert "".join(pieces) == text and len(pieces) == len(ids)


def test_longest_prefers_length_then_place() -> None:
    index = SpanIndex([TokenRow(0, (1, 2, 3)), TokenRow(1, (1, 2, 3, 4))])
    assert index.longest((1, 2, 3, 4)) == Match(0, 4, 1, 0)
    assert index.longest((9, 9)) is None
