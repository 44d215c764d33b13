"""Numbers are shown exactly, and no character of an answer is lost on the way to the page."""

from fractions import Fraction
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.api.display import (
    amount,
    bar,
    colours,
    duration,
    glyph,
    grouped,
    percent,
    rounded,
    runs,
    short,
    utc,
)
from protocol.spans import Match

WEI = st.integers(0, 10**30)


def number(text: str) -> Fraction:
    return Fraction(text.replace("\u202f", ""))


@given(WEI)
def test_an_amount_is_exact_to_the_wei(wei: int) -> None:
    """SPEC 10.4"""
    assert number(amount(wei)) * 10**18 == wei


@given(WEI)
def test_a_rounded_amount_never_claims_more(wei: int) -> None:
    """SPEC 10.4"""
    shown = number(rounded(wei)) * 10**18
    assert shown <= wei
    assert wei - shown <= max(wei // 100_000, 0) + 1


@given(st.integers(0, 1_000_000))
def test_a_share_is_exact(ppm: int) -> None:
    """SPEC 10.4"""
    assert Fraction(percent(ppm).removesuffix(" %")) * 10_000 == ppm


@given(st.lists(st.tuples(st.text(max_size=5), st.integers(0, 10**24), st.integers(0, 8)), max_size=12))
def test_a_bar_has_no_gap_and_ends_at_its_end(parts: list[tuple[str, int, int]]) -> None:
    """SPEC 10.5"""
    segments = bar(parts)
    assert [one.value for one in segments] == [value for _, value, _ in parts if value]
    for left, right in pairwise(segments):
        assert left.x + left.width == pytest.approx(right.x, abs=0.01)
    if segments:
        assert segments[0].x == 0
        assert segments[-1].x + segments[-1].width == pytest.approx(1000, abs=0.01)


TEXT = st.lists(st.text(alphabet="ab 1.é漢😀", max_size=4), max_size=12)
SPANS = st.lists(
    st.builds(Match, st.integers(0, 12), st.integers(1, 12), st.integers(0, 3), st.just(0)), max_size=6
)


@given(TEXT, SPANS)
def test_marking_loses_and_doubles_nothing(texts: list[str], spans: list[Match]) -> None:
    """SPEC 10.3"""
    found = runs(texts, spans)
    assert "".join(run.text for run in found) == "".join(texts)
    assert all(run.text for run in found)
    assert all(one.row != two.row for one, two in pairwise(found))
    assert {run.row for run in found} <= {None, *(span.row for span in spans)}


def test_marks_begin_and_end_at_whole_words() -> None:
    """SPEC 10.3"""
    texts = (" type", " dia", "betes", " mell", "itus")
    found = runs(texts, (Match(0, 2, 7, 0),))
    assert [(run.text, run.row) for run in found] == [(" ", None), ("type", 7), (" diabetes mellitus", None)]


def test_the_longer_span_has_a_token_that_both_cover() -> None:
    """SPEC 10.3"""
    found = runs(("a ", "b ", "c ", "d"), (Match(0, 2, 1, 0), Match(1, 3, 2, 0)))
    assert [(run.text, run.row) for run in found] == [("a ", 1), ("b c d", 2)]


def test_a_span_that_is_part_of_a_word_stays_visible() -> None:
    """SPEC 10.3"""
    assert [run.row for run in runs(("x", "y", "z"), (Match(1, 1, 5, 0),))] == [None, 5, None]


def test_small_things_read_well() -> None:
    """SPEC 10.4"""
    assert grouped(1234567) == "1\u202f234\u202f567"
    assert short("0x" + "ab" * 20) == "0xababab…ababab"
    assert short("short") == "short"
    assert utc(0) == "1970-01-01 00:00:00 UTC"
    assert [duration(n) for n in (-5, 59, 3661, 90_000)] == ["0 s", "59 s", "1 h 1 min", "1 d 1 h"]
    assert amount(-1) == "−0.000000000000000001"


@given(st.integers(0, 2**160 - 1))
def test_a_glyph_is_symmetric_and_follows_the_address(value: int) -> None:
    """SPEC 10.5"""
    cells = set(glyph(f"0x{value:040x}"))
    assert {(4 - x, y) for x, y in cells} == cells


def test_the_ninth_contributor_shares_the_last_colour() -> None:
    """SPEC 10.5"""
    assert list(colours([str(n) for n in range(10)]).values()) == [1, 2, 3, 4, 5, 6, 7, 8, 8, 8]
