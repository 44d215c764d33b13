from dataclasses import replace

import pytest
from eth_hash.auto import keccak
from hypothesis import given
from hypothesis import strategies as st

from protocol.attribution import (
    AttributionReport,
    Entry,
    Lane,
    LaneUnits,
    attribution_root,
    effective_weights,
    entries_root,
    entry_leaves,
    merge,
)
from protocol.errors import AttributionError, SharesDoNotSum
from protocol.parameters import DEFAULT_WEIGHTS
from protocol.spans import Match, SpanFinds
from protocol.sumtree import prove_sum, sum_root, verify_sum
from tests.protocol.records import account, lane_units, manifest, span_finds

METHOD = bytes(32)
ROWS = 30


@st.composite
def lanes(draw):
    found = []
    for lane in (Lane.GRADIENT, Lane.SPAN, Lane.RETRIEVAL):
        if draw(st.booleans()):
            ran = draw(st.integers(0, 3)) > 0
            if lane is Lane.SPAN:
                spans = draw(st.dictionaries(st.integers(0, ROWS - 1), st.integers(0, 400)))
                found.append(span_finds(tuple(spans.items()), draw(st.integers(0, 400)), ran))
            else:
                units = tuple(draw(lane_units(ROWS)).items())
                found.append(LaneUnits(lane, units, draw(st.integers(0, 10**6)), ran))
    return found


@st.composite
def clustered(draw):
    owners = draw(st.lists(st.integers(1, 6), min_size=ROWS, max_size=ROWS))
    clusters = list(range(ROWS))
    for place in range(1, ROWS):
        if draw(st.integers(0, 3)) == 0:
            clusters[place] = clusters[draw(st.integers(0, place - 1))]
    return manifest(owners, clusters, draw(st.lists(st.integers(0, ROWS - 1), max_size=3)))


@given(lanes(), clustered())
def test_a_report_is_one_whole_of_canonical_rows(found, version):
    """SPEC 5.1, 5.2, 5.5, 5.6"""
    report = merge(found, DEFAULT_WEIGHTS, version, METHOD)
    assert sum(entry.ppm for entry in report.entries) + report.unattributed_ppm == 1_000_000
    for entry in report.entries:
        row = version.rows[entry.row]
        assert row.cluster == row.index and row.owner == entry.owner and row.consent == "granted"
    for lane in Lane:
        assert sum(entry.lane is lane for entry in report.entries) <= 20


@given(lanes(), clustered())
def test_each_lane_stays_within_its_weight(found, version):
    """SPEC 5.3, 5.4"""
    report = merge(found, DEFAULT_WEIGHTS, version, METHOD)
    ran = {one.lane: one.ran for one in found}
    used = Lane.RETRIEVAL in ran
    weights = {
        Lane.GRADIENT: 500_000 if used else 800_000,
        Lane.SPAN: 200_000,
        Lane.RETRIEVAL: 300_000 * used,
    }
    for lane, weight in weights.items():
        given_out = sum(entry.ppm for entry in report.entries if entry.lane is lane)
        assert given_out <= weight
        assert ran.get(lane, False) or given_out == 0


@given(lane_units(ROWS), st.integers(0, 10**6), st.sampled_from([Lane.GRADIENT, Lane.SPAN]))
def test_single_rows_get_their_exact_part(units, rest, lane):
    """SPEC 5.1, 5.2: against exact division, without clusters."""
    units = {row: count % 1000 for row, count in sorted(units.items())[:20]}
    rest %= 1000
    pairs = tuple(units.items())
    found = span_finds(pairs, rest) if lane is Lane.SPAN else LaneUnits(lane, pairs, rest, True)
    report = merge([found], DEFAULT_WEIGHTS, manifest([1] * ROWS), METHOD)
    weight, whole = DEFAULT_WEIGHTS[lane], sum(units.values()) + rest
    named = {entry.row: entry.ppm for entry in report.entries}
    for row, count in units.items():
        assert whole == 0 or abs(named.get(row, 0) - weight * count / whole) < 1
    if whole == 0:
        assert (report.entries, report.unattributed_ppm) == ((), 1_000_000)


@given(lanes())
def test_a_silent_lane_is_unattributed(found):
    """SPEC 5.3"""
    silent = [
        SpanFinds((), one.count, one.ran)
        if isinstance(one, SpanFinds)
        else LaneUnits(one.lane, (), one.unattributed, one.ran)
        for one in found
    ]
    report = merge(silent, DEFAULT_WEIGHTS, manifest([1]), METHOD)
    assert (report.entries, report.unattributed_ppm) == ((), 1_000_000)


@given(lane_units(10), st.integers(0, 1000), st.sampled_from([Lane.GRADIENT, Lane.RETRIEVAL]), st.data())
def test_a_copy_earns_its_maker_nothing_and_its_original_no_more(units, rest, lane, data):
    """SPEC 5.1: a copier adds rows to others' clusters with units up to the originals'."""
    honest = manifest(list(range(1, 11)))
    copier = 99
    copies = {10 + row: data.draw(st.integers(0, count)) for row, count in units.items()}
    with_copies = manifest([*range(1, 11), *[copier] * 10], [*range(10), *range(10)])
    before = merge([LaneUnits(lane, tuple(units.items()), rest, True)], DEFAULT_WEIGHTS, honest, METHOD)
    after = merge(
        [LaneUnits(lane, tuple({**units, **copies}.items()), rest, True)],
        DEFAULT_WEIGHTS,
        with_copies,
        METHOD,
    )
    assert replace(after, lists=before.lists) == before
    assert account(copier) not in {entry.owner for entry in after.entries}


def test_spans_of_a_cluster_add_up():
    """SPEC 5.1"""
    one = merge([span_finds(((0, 3), (1, 2)), 5)], DEFAULT_WEIGHTS, manifest([1, 2], [0, 0]), METHOD)
    assert one.entries == (Entry(Lane.SPAN, 0, account(1), 100_000),)
    assert one.unattributed_ppm == 900_000


@given(st.lists(st.integers(1, 1000), min_size=ROWS, max_size=ROWS))
def test_the_rows_below_the_twentieth_are_unattributed(units):
    """SPEC 5.5"""
    report = merge(
        [LaneUnits(Lane.GRADIENT, tuple(enumerate(units)), 0, True)],
        DEFAULT_WEIGHTS,
        manifest([1] * ROWS),
        METHOD,
    )
    kept = sorted(range(ROWS), key=lambda row: (-units[row], row))[:20]
    assert {entry.row for entry in report.entries} == set(kept)
    lost = sum(units) - sum(units[row] for row in kept)
    assert abs(report.unattributed_ppm - 200_000 - 800_000 * lost / sum(units)) < 1


def test_revoked_rows_are_unattributed():
    """SPEC 5.6: the row, and the copies whose canonical row it is."""
    version = manifest([1, 2, 3], [0, 0, 2], revoked=[0])
    report = merge([span_finds(((0, 1), (1, 1), (2, 2)), 0)], DEFAULT_WEIGHTS, version, METHOD)
    assert report.entries == (Entry(Lane.SPAN, 2, account(3), 100_000),)


def test_a_row_revoked_since_the_version_is_unattributed():
    """SPEC 5.64"""
    found = [LaneUnits(Lane.GRADIENT, ((0, 3), (1, 1)), 0, True), span_finds(((0, 2), (1, 2)), 0)]
    report = merge(found, DEFAULT_WEIGHTS, manifest([1, 2]), METHOD, revoked={0})
    assert [(one.lane, one.row, one.ppm) for one in report.entries] == [
        (Lane.GRADIENT, 1, 200_000),
        (Lane.SPAN, 1, 100_000),
    ]


@given(lane_units(10), st.integers(0, 9), st.integers(1, 10**6), st.integers(0, 100))
def test_more_units_never_lower_a_row(units, row, extra, rest):
    """SPEC 5.7"""

    def ppm(found):
        report = merge(
            [LaneUnits(Lane.GRADIENT, tuple(found.items()), rest, True)],
            DEFAULT_WEIGHTS,
            manifest([1] * 10),
            METHOD,
        )
        return sum(entry.ppm for entry in report.entries if entry.row == row)

    # One ppm is what cumulative rounding may move between neighbours.
    assert ppm({**units, row: units.get(row, 0) + extra}) >= ppm(units) - 1


def test_lane_order_does_not_matter():
    """SPEC 5.2"""
    found = [LaneUnits(Lane.GRADIENT, ((1, 5), (0, 2)), 3, True), span_finds(((0, 4),), 1)]
    assert merge(found, DEFAULT_WEIGHTS, manifest([1, 2]), METHOD) == merge(
        [found[1], replace(found[0], units=((0, 2), (1, 5)))], DEFAULT_WEIGHTS, manifest([1, 2]), METHOD
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda: LaneUnits(Lane.GRADIENT, ((0, 1), (0, 2)), 0, True),
        lambda: LaneUnits(Lane.GRADIENT, ((0, -1),), 0, True),
        lambda: LaneUnits(Lane.GRADIENT, (), -1, True),
        lambda: LaneUnits(Lane.UNATTRIBUTED, (), 0, True),
        lambda: merge([span_finds(((7, 1),), 0)], DEFAULT_WEIGHTS, manifest([1]), METHOD),
        lambda: merge([span_finds((), 0)] * 2, DEFAULT_WEIGHTS, manifest([1]), METHOD),
        lambda: merge([LaneUnits(Lane.SPAN, (), 0, True)], DEFAULT_WEIGHTS, manifest([1]), METHOD),
        lambda: SpanFinds((Match(0, 3, 0, 0), Match(0, 4, 1, 0)), 9, True),
        lambda: SpanFinds((Match(0, 3, 0, 0),), 2, True),
        lambda: SpanFinds((Match(0, 3, 0, 0),), 3, False),
        lambda: SpanFinds((), 2**17 + 1, True),
        lambda: AttributionReport((Entry(Lane.SPAN, 0, account(1), 0),), 1_000_000, METHOD),
        lambda: AttributionReport(
            (Entry(Lane.SPAN, 1, account(1), 1), Entry(Lane.SPAN, 0, account(1), 1)), 999_998, METHOD
        ),
    ],
)
def test_contradictions_are_refused(make):
    """SPEC 5.2"""
    with pytest.raises(AttributionError):
        make()


def test_wholes_are_enforced():
    """SPEC 5.2, 5.4"""
    with pytest.raises(SharesDoNotSum):
        AttributionReport((), 999_999, METHOD)
    for weights in (
        {Lane.GRADIENT: 800_000, Lane.SPAN: 100_000},
        {Lane.GRADIENT: 0, Lane.SPAN: 10**6, Lane.RETRIEVAL: 1},
    ):
        with pytest.raises(SharesDoNotSum):
            effective_weights(weights, with_retrieval=True)


@given(lanes(), clustered(), st.data())
def test_the_root_is_a_sum_tree_of_one_whole(found, version, data):
    """SPEC 5.11"""
    report = merge(found, DEFAULT_WEIGHTS, version, METHOD)
    leaves = entry_leaves(report.stated, keccak)
    root = sum_root(leaves, keccak)
    assert (root.digest, root.total, root.count) == (
        entries_root(report.stated, keccak),
        1_000_000,
        len(report.entries) + 1,
    )
    for place, leaf in enumerate(leaves):
        assert verify_sum(leaf, prove_sum(leaves, place, keccak), root, keccak)
    if report.entries:
        place = data.draw(st.integers(0, len(report.entries) - 1))
        for change in ({"row": 10**6}, {"owner": account(77)}):
            others = [
                replace(entry, **change) if at == place else entry for at, entry in enumerate(report.entries)
            ]
            ordered = tuple(sorted(others, key=lambda entry: (entry.lane, entry.row)))
            assert attribution_root(replace(report, entries=ordered), keccak) != root.digest
