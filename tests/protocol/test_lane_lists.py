"""The lists that a report binds, word for word."""

from dataclasses import replace

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.attribution import attribution_root, entries_root, lists_of, merge
from protocol.epoch_json import LIST_NAMES
from protocol.errors import AttributionError
from protocol.hashing import tag, words
from protocol.lane_lists import (
    DID_NOT_RUN,
    Flaw,
    LaneLists,
    ListedSpan,
    adds_tokens,
    is_omission,
    lane_hash,
    list_shares,
    lists_flaw,
    read_span,
    span_flaw,
    span_words,
    units_flaw,
    units_words,
)
from protocol.lanes import MAX_UNITS, Lane, LaneUnits
from protocol.parameters import DEFAULT_WEIGHTS
from protocol.spans import Match, SpanFinds, cover
from tests.protocol.records import manifest
from tests.protocol.test_attribution import clustered, lanes

COUNT, ROWS = 40, 30


@st.composite
def any_matches(draw, count=COUNT):
    found = []
    for _ in range(draw(st.integers(0, 40))):
        start = draw(st.integers(0, count - 2))
        length = draw(st.integers(2, count - start))
        found.append(Match(start, length, draw(st.integers(0, ROWS - 1)), draw(st.integers(0, 5))))
    return found


def listed(matches):
    return span_words([ListedSpan(match, match.row, True) for match in matches])


@given(lanes(), clustered())
def test_a_report_follows_from_its_lists(found, version):
    """SPEC 5.61, 5.62"""
    report = merge(found, DEFAULT_WEIGHTS, version, bytes(32))
    count = sum(one.count for one in found if isinstance(one, SpanFinds))
    assert lists_flaw(report.lists, count) is Flaw.NONE
    shares = list_shares(report.lists, DEFAULT_WEIGHTS, count)
    assert shares == tuple((one.lane, one.row, one.ppm) for one in report.stated)


@given(lanes(), clustered())
def test_the_root_binds_every_list(found, version):
    """SPEC 5.60"""
    report = merge(found, DEFAULT_WEIGHTS, version, bytes(32))
    hashes = [keccak(words(tag("lane", keccak), 64, len(part), *part)) for part in report.lists.bound]
    assert hashes == [lane_hash(part, keccak) for part in report.lists.bound]
    expected = keccak(words(tag("report", keccak), entries_root(report.stated, keccak), *hashes))
    assert attribution_root(report, keccak) == expected
    for name in LIST_NAMES:
        changed = replace(report.lists, **{name: (*getattr(report.lists, name), 1)})
        assert attribution_root(replace(report, lists=changed), keccak) != expected


@given(any_matches())
def test_an_honest_cover_has_no_flaw_and_no_omission(found):
    """SPEC 7.91, 7.92: whatever true match is shown, whole or cut, listed or not."""
    chosen = cover(found)
    part = listed(chosen)
    for place in range(1, len(part)):
        assert span_flaw(part, place, COUNT, 2, ROWS) is Flaw.NONE
    for match in found:
        cuts = [
            replace(match, start=match.start + cut, row_start=match.row_start + cut, length=length)
            for cut in range(match.length - 1)
            for length in range(2, match.length - cut + 1)
        ]
        assert not any(is_omission(part, one) for one in cuts)


@given(any_matches(), st.data())
def test_a_match_left_out_that_outranks_the_last_is_an_omission(found, data):
    """SPEC 7.92"""
    chosen = list(cover(found))
    if len(chosen) < 2:
        return
    place = data.draw(st.integers(0, len(chosen) - 2))
    left = listed([*chosen[:place], *chosen[place + 1 :]])
    assert is_omission(left, chosen[place])


def naive_adds(part, match):
    tokens = set(range(match.start, match.end))
    for word in part:
        other = read_span(word).match
        if other.rank < match.rank:
            tokens -= set(range(other.start, other.end))
    return bool(tokens)


@given(any_matches(), any_matches())
def test_what_is_left_of_a_match_is_counted_as_the_naive_way_does(found, others):
    """SPEC 7.92"""
    part = listed(cover(found))[1:]
    for match in others:
        assert adds_tokens(part, match) == naive_adds(part, match)


def test_the_sixty_fifth_match_ends_the_cover():
    """SPEC 5.9"""
    found = [Match(4 * place, 4, place % 20, 0) for place in range(70)]
    chosen = cover(found)
    assert chosen == tuple(found[:64])
    part = listed(chosen)
    assert not is_omission(part, found[64])
    assert is_omission(part[:-1], found[63]) is False  # twenty rows and none ranks behind it
    assert is_omission((part[0], *part[2:]), found[0])


@pytest.mark.parametrize(
    ("part", "flaw"),
    [
        ((), Flaw.NONE),
        (DID_NOT_RUN, Flaw.NONE),
        (units_words([], 0), Flaw.NONE),
        (units_words([(row, 1) for row in range(20)], 2**64 - 1), Flaw.NONE),
        (units_words([(row, 1) for row in range(21)], 0), Flaw.LENGTH),
        ((1,), Flaw.HEADER),
        ((0, 1 << 64 | 1), Flaw.HEADER),
        ((2 << 64,), Flaw.HEADER),
        (units_words([(3, 0)], 0), Flaw.WORD),
        (units_words([(3, MAX_UNITS)], 0), Flaw.NONE),
        (units_words([(3, MAX_UNITS + 1)], 0), Flaw.WORD),
        (units_words([(2**32, 1)], 0), Flaw.WORD),
        (units_words([(3, 1), (3, 1)], 0), Flaw.ORDER),
        (units_words([(3, 1), (2, 1)], 0), Flaw.ORDER),
    ],
)
def test_flaws_of_a_units_list(part, flaw):
    """SPEC 7.94"""
    assert units_flaw(part) is flaw
    assert lists_flaw(LaneLists(gradient=part), 0) is flaw
    assert lists_flaw(LaneLists(retrieval=part), 0) is flaw
    if flaw:
        with pytest.raises(AttributionError):
            list_shares(LaneLists(gradient=part), DEFAULT_WEIGHTS, 0)


@pytest.mark.parametrize(
    ("part", "flaw"),
    [
        ((1,), Flaw.NONE),
        ((0,), Flaw.NONE),
        ((2,), Flaw.HEADER),
        ((0, 1 << 64), Flaw.HEADER),
        (listed([Match(0, 9, 0, 0)]), Flaw.NONE),
        (listed([Match(1, 9, 0, 0)]), Flaw.OUTPUT),
        (listed([Match(0, 2, 0, 0)] * 65), Flaw.LENGTH),
    ],
)
def test_flaws_of_a_span_list(part, flaw):
    """SPEC 7.91"""
    assert lists_flaw(LaneLists(span=part), 9) is flaw
    assert lists_flaw(LaneLists(span=(1,)), 2**17 + 1) is Flaw.OUTPUT


@pytest.mark.parametrize(
    ("matches", "flaw"),
    [
        ([Match(0, 3, 0, 0)], Flaw.NONE),
        ([Match(0, 2, 0, 0)], Flaw.TOO_SHORT),
        ([Match(7, 3, 0, 0)], Flaw.OUTPUT),
        ([Match(0, 3, 5, 0)], Flaw.ROW),
        ([Match(0, 3, 0, 0), Match(3, 4, 0, 0)], Flaw.ORDER),
        ([Match(0, 3, 0, 0), Match(0, 3, 0, 0)], Flaw.ORDER),
        ([Match(0, 3, 0, 0), Match(3, 3, 0, 0), Match(1, 3, 1, 0)], Flaw.ORDER),
        ([Match(0, 4, 0, 0), Match(3, 4, 0, 0), Match(2, 3, 1, 0)], Flaw.ADDS_NOTHING),
    ],
)
def test_flaws_of_a_match(matches, flaw):
    """SPEC 7.91"""
    assert span_flaw(listed(matches), len(matches), 9, 3, 5) is flaw


def test_a_match_from_a_twenty_first_row_is_a_flaw():
    """SPEC 7.91"""
    part = listed([Match(3 * place, 3, place, 0) for place in range(21)])
    assert span_flaw(part, 20, 100, 3, 99) is Flaw.NONE
    assert span_flaw(part, 21, 100, 3, 99) is Flaw.TOO_MANY_ROWS
    assert span_flaw((*part[:21], part[21] | 1 << 161), 21, 100, 3, 99) is Flaw.WORD


def test_units_beyond_a_word_are_refused():
    """SPEC 5.61"""
    with pytest.raises(AttributionError):
        units_words([], 2**64)
    with pytest.raises(AttributionError):
        LaneLists(span=(2**256,))


def test_an_unused_lane_and_one_that_did_not_run_are_told_apart():
    """SPEC 5.4, 5.61"""
    unused = lists_of([LaneUnits(Lane.GRADIENT, ((0, 1),), 0, True)], manifest([1]))
    assert (unused.span, unused.retrieval) == ((), ())
    silent = [LaneUnits(Lane.GRADIENT, ((0, 1),), 0, True), LaneUnits(Lane.RETRIEVAL, ((0, 9),), 3, False)]
    lists = lists_of(silent, manifest([1]))
    assert lists.retrieval == DID_NOT_RUN
    assert list_shares(unused, DEFAULT_WEIGHTS, 0)[0] == (Lane.GRADIENT, 0, 800_000)
    assert list_shares(lists, DEFAULT_WEIGHTS, 0)[0] == (Lane.GRADIENT, 0, 500_000)
