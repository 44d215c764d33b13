"""The words that bind what the gradient lane was computed from."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from protocol.attribution import merge
from protocol.errors import AttributionError
from protocol.hashing import MAX_WORD, sha256
from protocol.influence import MAX_CHANCE, MIN_SCORE, Influence, Measured, ScoredRow
from protocol.influence_list import (
    HEAD_WORDS,
    MAX_SECTIONS,
    index_digest,
    influence_flaw,
    influence_words,
    is_omission,
    read_influence,
    units_at,
    units_follow,
)
from protocol.lane_lists import DID_NOT_RUN, Flaw
from protocol.lanes import MAX_ROWS_PER_LANE
from protocol.manifest import GRANTED
from protocol.parameters import DEFAULT_WEIGHTS
from protocol.types import MAX_UINT32, MAX_UINT64, TOTAL_PPM
from tests.protocol.records import manifest

ROOTS = st.binary(min_size=32, max_size=32)
VERSION = manifest([1 + row % 5 for row in range(40)])


@st.composite
def sections(draw: st.DrawFn, most: int = MAX_ROWS_PER_LANE) -> Influence:
    threshold = draw(st.integers(MIN_SCORE, 2**60))
    rows = draw(st.lists(st.integers(0, 39), unique=True, max_size=most))
    excess = draw(st.lists(st.integers(1, 2**61), min_size=len(rows), max_size=len(rows)))
    return Influence(
        draw(ROOTS),
        draw(ROOTS),
        Measured(
            threshold,
            draw(st.integers(0, MAX_CHANCE)),
            draw(st.integers(0, MAX_UINT64)),
            draw(st.integers(0, MAX_UINT64)),
            draw(st.integers(0, TOTAL_PPM)),
        ),
        tuple(
            ScoredRow(row, row, 1 + row, threshold + over)
            for row, over in zip(sorted(rows), excess, strict=True)
        ),
    )


LISTS = st.lists(sections(), max_size=MAX_SECTIONS)


@given(LISTS)
@settings(max_examples=40)
def test_what_is_listed_reads_back(listed: list[Influence]) -> None:
    """SPEC 5.182"""
    words = influence_words(listed)
    assert influence_flaw(words) is Flaw.NONE and read_influence(words) == tuple(listed)


@given(st.lists(sections(3), min_size=1, max_size=2), st.data())
@settings(max_examples=60)
def test_any_other_word_is_another_list_or_none(listed: list[Influence], data: st.DataObject) -> None:
    """SPEC 5.182: no two lists say the same."""
    words = list(influence_words(listed))
    place = data.draw(st.integers(0, len(words) - 1))
    words[place] ^= 1 << data.draw(st.integers(0, 255))
    if influence_flaw(words) is Flaw.NONE:
        assert read_influence(words) != tuple(listed)
        assert influence_words(read_influence(words)) == tuple(words)


@given(st.lists(st.integers(0, MAX_WORD), max_size=30))
@settings(max_examples=60)
def test_words_from_anywhere_are_read_or_refused(words: list[int]) -> None:
    """SPEC 5.182"""
    if influence_flaw(words) is Flaw.NONE:
        assert influence_words(read_influence(words)) == tuple(words)


ROWS = (ScoredRow(2, 5, 6, 9), ScoredRow(7, 7, 8, 8))
SECTION = Influence(b"\1" * 32, b"\2" * 32, Measured(0, 3, 5, 6), ROWS)


@pytest.mark.parametrize(
    ("place", "change", "flaw"),
    [
        (2, 1, Flaw.LENGTH),
        (2, 30 ^ 2, Flaw.LENGTH),
        (2, 3, Flaw.LENGTH),
        (2, (TOTAL_PPM + 1 ^ TOTAL_PPM) << 32, Flaw.HEADER),
        (3, 1 << 128, Flaw.HEADER),
        (4, 9, Flaw.WORD),
        (4, 1 << 63, Flaw.WORD),
        (4, 1 << 160, Flaw.WORD),
        (4, 6 << 64, Flaw.WORD),
        (5, 5 << 128, Flaw.ORDER),
        (5, 7 << 128, Flaw.ORDER),
    ],
)
def test_flaws_by_word(place: int, change: int, flaw: Flaw) -> None:
    """SPEC 5.182"""
    words = list(influence_words([SECTION]))
    words[place] ^= change
    assert influence_flaw(words) is flaw


def test_lists_have_their_limits() -> None:
    """SPEC 5.182"""
    many = tuple(ScoredRow(row, row, 1, 1) for row in range(MAX_ROWS_PER_LANE + 1))
    for refused in (
        [SECTION] * (MAX_SECTIONS + 1),
        [replace(SECTION, rows=many)],
        [replace(SECTION, rows=(ScoredRow(MAX_UINT32 + 1, 0, 1, 5),))],
        [replace(SECTION, rows=(ScoredRow(0, -1, 1, 5),))],
    ):
        with pytest.raises(AttributionError):
            influence_words(refused)
    one = influence_words([SECTION])
    assert influence_flaw(one * MAX_SECTIONS) is Flaw.NONE
    assert influence_flaw(one * (MAX_SECTIONS + 1)) is Flaw.LENGTH
    assert influence_flaw(one[: HEAD_WORDS - 1]) is Flaw.LENGTH


@given(sections(), st.sets(st.integers(0, 39), max_size=5))
@settings(max_examples=60)
def test_an_honest_units_list_follows_whoever_may_not_earn(section: Influence, revoked: set[int]) -> None:
    """SPEC 5.183: what revoked rows would have got is unattributed, and the others' units are their own."""
    assert all(row.consent == GRANTED for row in VERSION.rows)
    report = merge([section.lane()], DEFAULT_WEIGHTS, VERSION, bytes(32), revoked, [section])
    influence, gradient = report.lists.influence, report.lists.gradient
    assert units_follow(influence, gradient)
    assert not revoked & {word >> 64 for word in gradient[1:]}
    units = {row.canonical: units_at(section, place) for place, row in enumerate(section.rows)}
    assert {row: units[row] for row in units if units[row] and row not in revoked} == {
        word >> 64: word & MAX_UINT64 for word in gradient[1:]
    }


@given(sections(5).filter(lambda one: bool(one.lane().units)), st.data())
@settings(max_examples=60)
def test_no_other_units_follow(section: Influence, data: st.DataObject) -> None:
    """SPEC 5.183"""
    report = merge([section.lane()], DEFAULT_WEIGHTS, VERSION, bytes(32), (), [section])
    influence, words = report.lists.influence, list(report.lists.gradient)
    place = data.draw(st.integers(0, len(words) - 1))
    words[place] ^= 1 << data.draw(st.integers(0, 80))
    assert not units_follow(influence, words)
    assert not units_follow(influence, [])
    assert not units_follow(influence, DID_NOT_RUN)
    assert not units_follow((), report.lists.gradient)
    assert not units_follow(influence[:-1], report.lists.gradient)
    assert units_follow((), ()) and units_follow((), DID_NOT_RUN)


def test_an_ensembles_units_are_not_judged_by_scores_alone() -> None:
    """SPEC 5.183: but it too must have run."""
    both = influence_words([SECTION, SECTION])
    assert units_follow(both, (1 << 64 | 3, 5 << 64 | 7))
    assert not units_follow(both, DID_NOT_RUN) and not units_follow(both, ())


def test_an_index_digest_is_the_root_or_that_of_the_members_roots() -> None:
    """SPEC 5.184"""
    assert index_digest([b"\3" * 32]) == b"\3" * 32
    assert index_digest([b"\3" * 32, b"\4" * 32]) == sha256(b"\3" * 32 + b"\4" * 32)


def test_a_cluster_is_left_out_only_below_twenty_better_ones() -> None:
    """SPEC 5.25, 7.121: by score, then by lower row; a listed one stands by its best member."""
    full = replace(SECTION, rows=tuple(ScoredRow(row, row, 1, 50) for row in range(10, 30)))
    for canonical, score, out in ((5, 50, True), (35, 50, False), (35, 51, True), (5, 49, False)):
        assert is_omission(full, canonical, score) is out
    assert is_omission(full, 12, 51) and not is_omission(full, 12, 50)
    assert is_omission(SECTION, 30, 1) and not is_omission(SECTION, 30, 0)
