"""Ensembles: one name for one set of members and weights, and finds that split by weight to the last unit."""

from dataclasses import replace
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.canonical import canonical_json
from protocol.cid import cid_of_raw
from protocol.ensemble import (
    MAX_ENSEMBLE_BYTES,
    MAX_MEMBERS,
    UNITS_PER_PPM,
    Ensemble,
    Member,
    decode_ensemble,
    encode_ensemble,
    ensemble_cid,
    ensemble_method,
    ensemble_of,
    is_ensemble,
    padded_rank,
    weighted_lane,
)
from protocol.errors import EnsembleError, ProtocolError
from protocol.lanes import MAX_UNITS, Lane, LaneUnits
from protocol.types import TOTAL_PPM

CIDS = sorted(cid_of_raw(bytes([n])).text for n in range(10))


@st.composite
def weights(draw, low=2, high=MAX_MEMBERS):
    count = draw(st.integers(low, high))
    places = st.integers(1, TOTAL_PPM - 1)
    cuts = sorted(draw(st.lists(places, min_size=count - 1, max_size=count - 1, unique=True)))
    return [b - a for a, b in zip([0, *cuts], [*cuts, TOTAL_PPM], strict=True)]


@st.composite
def ensembles(draw):
    return ensemble_of([Member(cid, ppm) for cid, ppm in zip(CIDS, draw(weights()), strict=False)])


@given(ensembles(), st.data())
def test_a_name_is_that_of_the_set_and_of_nothing_else(ensemble, data):
    """SPEC 4.213"""
    shuffled = data.draw(st.permutations(ensemble.members))
    assert ensemble_of(shuffled) == ensemble
    first, second, *rest = ensemble.members
    if second.ppm > 1:
        moved = [replace(first, ppm=first.ppm + 1), replace(second, ppm=second.ppm - 1), *rest]
        assert ensemble_cid(ensemble_of(moved)) != ensemble_cid(ensemble)
    assert ensemble_cid(ensemble_of([replace(first, cid=CIDS[9]), second, *rest])) != ensemble_cid(ensemble)


@given(ensembles())
def test_bytes_come_back_as_what_they_were(ensemble):
    """SPEC 4.213"""
    data = encode_ensemble(ensemble)
    assert decode_ensemble(data) == ensemble
    assert is_ensemble(data) and len(data) <= MAX_ENSEMBLE_BYTES
    assert cid_of_raw(data).text == ensemble_cid(ensemble)


def test_name_and_bytes_are_fixed():
    """SPEC 4.213: receipts outlive a release."""
    ensemble = ensemble_of([Member(CIDS[1], 250_000), Member(CIDS[0], 750_000)])
    assert encode_ensemble(ensemble) == canonical_json(
        {
            "ensemble": 1,
            "members": [{"cid": CIDS[0], "ppm": 750_000}, {"cid": CIDS[1], "ppm": 250_000}],
        }
    )
    assert ensemble_cid(ensemble) == "bafkreidkmxqsfs344tvdncv4u56vje4fh4qswyxddc45bquplkj6pkyqci"
    assert (
        ensemble_method(b"\1" * 32).hex()
        == "21478950e383be2796f8c730dffe1f45cf7bad2b874a7e4ad27e9d27f3693b3d"
    )


HALF = TOTAL_PPM // 2


@pytest.mark.parametrize(
    "members",
    [
        [],
        [(0, TOTAL_PPM)],
        [(0, HALF), (0, HALF)],
        [(1, HALF), (0, HALF)],
        [(0, HALF), (1, HALF - 1)],
        [(0, HALF), (1, HALF + 1)],
        [(0, TOTAL_PPM), (1, 0)],
        [(0, TOTAL_PPM + 1), (1, -1)],
        [(n, TOTAL_PPM // 10) for n in range(10)],
    ],
)
def test_other_members_and_weights_are_none(members):
    """SPEC 4.213"""
    with pytest.raises(EnsembleError):
        Ensemble(tuple(Member(CIDS[place], ppm) for place, ppm in members))
    listed = [{"cid": CIDS[place], "ppm": ppm} for place, ppm in members]
    with pytest.raises(ProtocolError):
        decode_ensemble(canonical_json({"ensemble": 1, "members": listed}))


GOOD = encode_ensemble(ensemble_of([Member(CIDS[0], HALF), Member(CIDS[1], HALF)]))


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"[]",
        b'{"files":[]}',
        GOOD[:-1],
        GOOD + b" ",
        GOOD.replace(b":", b": ", 1),
        GOOD.replace(b'"ensemble":1', b'"ensemble":2'),
        GOOD.replace(b'"ensemble":1', b'"ensemble":1,"more":1'),
        GOOD.replace(b"500000", b"500000.0"),
        GOOD.replace(b"500000", b"true", 1),
        GOOD.replace(CIDS[0].encode(), CIDS[0].encode()[:-1]),
        GOOD.replace(CIDS[0].encode(), b"../../etc/passwd"),
        GOOD + b" " * MAX_ENSEMBLE_BYTES,
    ],
)
def test_other_bytes_are_refused(data):
    """SPEC 4.213"""
    with pytest.raises(ProtocolError):
        decode_ensemble(data)


@pytest.mark.parametrize(
    ("rank", "padded"), [(1, 8), (8, 8), (9, 16), (16, 16), (33, 64), (64, 64), (65, 128)]
)
def test_ranks_are_padded_to_powers_of_two(rank, padded):
    """SPEC 4.92"""
    assert padded_rank(rank) == padded


UNITS = st.dictionaries(st.integers(0, 9), st.integers(0, MAX_UNITS), max_size=6)
LANES = st.builds(
    lambda units, rest, ran: LaneUnits(
        Lane.GRADIENT, tuple(units.items()) if ran else (), rest if ran else 0, ran
    ),
    UNITS,
    st.integers(0, MAX_UNITS),
    st.booleans(),
)


@given(weights(), st.data())
def test_each_member_gives_its_weight_exactly(ppm, data):
    """SPEC 4.216: against exact fractions, and the whole is all the weights."""
    found = [data.draw(LANES) for _ in ppm]
    mixed = weighted_lane(found, ppm)
    if not any(lane.ran for lane in found):
        assert mixed == LaneUnits(Lane.GRADIENT, (), 0, ran=False)
        return
    total = TOTAL_PPM * UNITS_PER_PPM
    assert mixed.ran and mixed.unattributed + sum(units for _, units in mixed.units) == total
    exact: dict[int, Fraction] = {}
    for lane, weight in zip(found, ppm, strict=True):
        whole = lane.unattributed + sum(units for _, units in lane.units)
        for row, units in lane.units:
            exact[row] = exact.get(row, Fraction(0)) + Fraction(units * weight * UNITS_PER_PPM, max(whole, 1))
    for row, units in mixed.units:
        assert abs(units - exact[row]) < len(ppm)
    assert set(dict(mixed.units)) <= set(exact)


@given(LANES, weights())
def test_members_that_found_the_same_found_what_one_of_them_did(lane, ppm):
    """SPEC 4.216: so nobody gains or loses by an adapter being cut in parts."""
    mixed, whole = weighted_lane([lane] * len(ppm), ppm), lane.unattributed + sum(u for _, u in lane.units)
    if not lane.ran or not whole:
        return
    for row, units in lane.units:
        expected = Fraction(units * TOTAL_PPM * UNITS_PER_PPM, whole)
        assert abs(dict(mixed.units).get(row, 0) - expected) < len(ppm)


@given(weights(2, 2), UNITS, st.integers(0, MAX_UNITS))
def test_scores_of_one_member_do_not_count_against_the_other(ppm, units, rest):
    """SPEC 4.216: units of two indexes have no common scale; only the weights weigh."""
    fixed = LaneUnits(Lane.GRADIENT, ((3, 5),), 5, ran=True)
    other = LaneUnits(Lane.GRADIENT, tuple((row + 10, n) for row, n in units.items()), rest, ran=True)
    mixed = weighted_lane([fixed, other], ppm)
    assert dict(mixed.units)[3] == ppm[0] * UNITS_PER_PPM // 2


def test_the_split_is_fixed():
    """SPEC 4.216: committed to by receipts, so the same for every reader."""
    found = [
        LaneUnits(Lane.GRADIENT, ((9, 1), (2, 2)), 4, ran=True),
        LaneUnits(Lane.GRADIENT, ((2, 10),), 0, ran=True),
        LaneUnits(Lane.GRADIENT, (), 0, ran=False),
    ]
    assert weighted_lane(found, [500_000, 300_000, 200_000]) == LaneUnits(
        Lane.GRADIENT, ((2, 442_857_142_857), (9, 71_428_571_428)), 485_714_285_715, ran=True
    )


@pytest.mark.parametrize(
    ("lanes", "ppm"),
    [
        ([Lane.GRADIENT, Lane.RETRIEVAL], [HALF, HALF]),
        ([Lane.GRADIENT], [HALF, HALF]),
        ([Lane.GRADIENT] * 2, [HALF, HALF - 1]),
        ([], []),
    ],
)
def test_lanes_that_do_not_belong_together_are_refused(lanes, ppm):
    """SPEC 4.216"""
    with pytest.raises(EnsembleError):
        weighted_lane([LaneUnits(lane, (), 1, ran=True) for lane in lanes], ppm)
