import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.attribution import Lane
from protocol.errors import AttributionError
from protocol.spans import Match, cover, segments, span_units

COUNT = 40


@st.composite
def matches(draw):
    found = []
    for _ in range(draw(st.integers(0, 30))):
        start = draw(st.integers(0, COUNT - 1))
        length = draw(st.integers(1, COUNT - start))
        found.append(Match(start, length, draw(st.integers(0, 30)), draw(st.integers(0, 5))))
    return found


def naive_cover(found, max_rows):
    """Quadratic, straight from the rule: take the best match that adds a token until none is left."""
    left, chosen, tokens = set(found), [], set()
    while True:
        useful = [m for m in left if set(range(m.start, m.start + m.length)) - tokens]
        if not useful:
            return chosen
        best = min(useful, key=lambda m: (-m.length, m.start, m.row, m.row_start))
        if len({m.row for m in chosen} | {best.row}) > max_rows:
            return chosen
        chosen.append(best)
        tokens |= set(range(best.start, best.start + best.length))
        left.remove(best)


@given(matches(), st.integers(1, 20))
def test_the_cover_equals_the_naive_reference(found, max_rows):
    """SPEC 5.8, 5.9"""
    assert list(cover(found, max_rows)) == naive_cover(found, max_rows)


@given(matches(), st.randoms(use_true_random=False))
def test_the_order_of_discovery_does_not_matter(found, random):
    """SPEC 5.8"""
    shuffled = list(found)
    random.shuffle(shuffled)
    assert cover(shuffled) == cover(found)
    assert cover(found + found) == cover(found)
    assert cover(cover(found)) == cover(found)


@given(matches(), st.integers(1, 5))
def test_what_is_omitted_ranks_below_the_last_or_adds_nothing(found, max_rows):
    """SPEC 5.9"""
    chosen = cover(found, max_rows)
    tokens = {token for m in chosen for token in range(m.start, m.start + m.length)}
    for m in found:
        if m in chosen:
            continue
        adds = set(range(m.start, m.start + m.length)) - tokens
        assert not adds or m.length <= chosen[-1].length
    assert len({m.row for m in chosen}) <= max_rows


@given(matches())
def test_segments_are_disjoint_and_cover_the_same(found):
    """SPEC 5.10"""
    chosen = cover(found)
    pieces = segments(chosen)
    tokens = [token for piece in pieces for token in range(piece.start, piece.start + piece.length)]
    assert len(tokens) == len(set(tokens))
    assert set(tokens) == {token for m in chosen for token in range(m.start, m.start + m.length)}
    for piece, whole in zip(pieces, chosen, strict=True):
        assert piece.row == whole.row and piece.row_start - whole.row_start == piece.start - whole.start
        assert whole.start <= piece.start and piece.start + piece.length <= whole.start + whole.length


@given(matches())
def test_units_and_the_uncovered_make_the_output(found):
    """SPEC 5.10: counted token by token, each for the first match of the cover that holds it."""
    lane = span_units(found, COUNT)
    owner = {}
    for m in cover(found):
        for token in range(m.start, m.start + m.length):
            owner.setdefault(token, m.row)
    counted = {row: list(owner.values()).count(row) for row in set(owner.values())}
    assert dict(lane.units) == counted and lane.lane is Lane.SPAN and lane.ran
    assert lane.unattributed == COUNT - len(owner)


def test_the_twenty_first_row_ends_the_cover():
    """SPEC 5.9"""
    found = [Match(3 * place, 3, place, 0) for place in range(22)] + [Match(100, 2, 0, 7)]
    assert cover(found) == tuple(found[:20])


def test_ties_go_to_the_lowest_start_then_row():
    """SPEC 5.8"""
    assert cover([Match(0, 4, 9, 0), Match(0, 4, 2, 5), Match(0, 4, 2, 3)]) == (Match(0, 4, 2, 3),)
    assert cover([Match(1, 4, 0, 0), Match(0, 4, 9, 0)]) == (Match(0, 4, 9, 0), Match(1, 4, 0, 0))


def test_matches_beyond_the_output_are_refused():
    """SPEC 5.10"""
    with pytest.raises(AttributionError):
        span_units([Match(3, 4, 0, 0)], 6)
    for bad in ((-1, 1, 0, 0), (0, 0, 0, 0), (0, 1, -1, 0), (0, 1, 0, -1)):
        with pytest.raises(AttributionError):
            Match(*bad)
