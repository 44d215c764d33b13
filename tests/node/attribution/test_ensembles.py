"""A worker's word about each member becomes one report, split by weight, in the rules that a report has."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.attribution.ensembles import lanes_of_member, weighted_result
from node.attribution.reports import ReportRefused, build_report
from protocol.attribution import Lane, LaneUnits
from protocol.ensemble import UNITS_PER_PPM, ensemble_method, weighted_lane
from protocol.parameters import DEFAULTS
from protocol.types import TOTAL_PPM
from protocol.wire import AttributeResult
from tests.node.attribution.test_reports import MANIFEST, OUTPUT, ROWS, TOKENS, result

WEIGHTS = (600_000, 300_000, 100_000)
UNITS = st.dictionaries(st.integers(0, ROWS - 1), st.integers(0, 10**6), max_size=20)
LANES = (Lane.GRADIENT, Lane.SPAN)


def gradient(units: dict[int, int], rest: int = 0, ran: bool = True) -> LaneUnits:
    return LaneUnits(Lane.GRADIENT, tuple(units.items()), rest, ran)


def others(*lanes: LaneUnits) -> list[AttributeResult]:
    """What a worker answers for members after the first: asked for one lane, it has no spans."""
    return [replace(result(), lanes=(lane,), spans=()) for lane in lanes]


def mixed_report(results: list[AttributeResult], weights: tuple[int, ...] = WEIGHTS) -> object:
    mixed = weighted_result(results, weights, MANIFEST)
    return build_report(mixed, MANIFEST, DEFAULTS.lane_weights, OUTPUT, 3, TOKENS, (), len(results))


def test_the_span_lane_is_asked_for_once() -> None:
    """SPEC 4.219"""
    assert lanes_of_member(0, LANES) == LANES
    assert {lanes_of_member(place, LANES) for place in (1, 2, 7)} == {(Lane.GRADIENT,)}


def test_rows_in_the_prompt_are_asked_about_member_by_member() -> None:
    """SPEC 5.213"""
    lanes = (*LANES, Lane.RETRIEVAL)
    assert lanes_of_member(0, lanes) == lanes
    assert {lanes_of_member(place, lanes) for place in (1, 7)} == {(Lane.GRADIENT, Lane.RETRIEVAL)}


def test_a_member_pays_the_rows_in_the_prompt_by_its_weight() -> None:
    """SPEC 5.213: and the weight of one whose lane did not run is nobody's."""
    found = [LaneUnits(Lane.RETRIEVAL, ((row, 5),), 0, ran=True) for row in (1, 2)]
    silent = LaneUnits(Lane.RETRIEVAL, (), 0, ran=False)
    first = result(lanes=(gradient({}, 1), found[0]), spans=())
    rest = [replace(result(), lanes=(gradient({}, 1), one), spans=()) for one in (found[1], silent)]
    report = mixed_report([first, *rest])
    lane = DEFAULTS.lane_weights[Lane.RETRIEVAL]
    assert [(entry.lane, entry.row, entry.ppm) for entry in report.entries] == [
        (Lane.RETRIEVAL, 1, lane * 6 // 10),
        (Lane.RETRIEVAL, 2, lane * 3 // 10),
    ]


def test_a_single_adapters_result_is_its_own() -> None:
    """SPEC 4.219"""
    assert weighted_result([result()], (TOTAL_PPM,), MANIFEST) == result()


@given(UNITS, UNITS, UNITS, st.integers(0, 10**6))
def test_every_report_of_an_ensemble_is_one_whole(
    one: dict[int, int], two: dict[int, int], three: dict[int, int], rest: int
) -> None:
    """SPEC 4.219: entries and the unattributed part, whatever members found; at most twenty rows a lane."""
    first = result(lanes=(gradient(one, rest), *result().lanes[1:]))
    report = mixed_report([first, *others(gradient(two), gradient(three, rest))])
    assert report.unattributed_ppm + sum(entry.ppm for entry in report.entries) == TOTAL_PPM
    rows = [entry.row for entry in report.entries if entry.lane is Lane.GRADIENT]
    assert len(rows) <= 20 and set(rows) <= one.keys() | two.keys() | three.keys()


def test_a_member_pays_its_rows_by_its_weight() -> None:
    """SPEC 4.219: each found one row of its own, so the lane's weight is split like the members'."""
    first = result(lanes=(gradient({1: 7}),), spans=())
    report = mixed_report([first, *others(gradient({2: 900}), gradient({3: 1}))])
    lane = DEFAULTS.lane_weights[Lane.GRADIENT]
    assert {entry.row: entry.ppm for entry in report.entries} == {
        1: lane * 6 // 10, 2: lane * 3 // 10, 3: lane // 10,
    }  # fmt: skip


def test_a_member_whose_lane_did_not_run_leaves_its_weight_to_nobody() -> None:
    """SPEC 4.216, 4.219"""
    first = result(lanes=(gradient({1: 7}),), spans=())
    report = mixed_report([first, *others(gradient({}, ran=False), gradient({1: 5}))])
    lane = DEFAULTS.lane_weights[Lane.GRADIENT]
    assert [entry.ppm for entry in report.entries] == [lane * 7 // 10]


def test_the_lists_that_a_contract_reads_are_those_of_the_sum() -> None:
    """SPEC 4.219: so what it divides again is what was paid."""
    lanes = [gradient({1: 7, 4: 3}), gradient({4: 9}, 1), gradient({5: 2})]
    first = result(lanes=(lanes[0], *result().lanes[1:]))
    mixed = weighted_result([first, *others(*lanes[1:])], WEIGHTS, MANIFEST)
    report = mixed_report([first, *others(*lanes[1:])])
    expected = weighted_lane(lanes, WEIGHTS)
    head, *words = report.lists.gradient
    assert head == 1 << 64 | expected.unattributed
    assert words == [row << 64 | units for row, units in expected.units]
    assert expected.unattributed + sum(u for _, u in expected.units) == TOTAL_PPM * UNITS_PER_PPM
    assert (
        report.lists.span
        == build_report(result(), MANIFEST, DEFAULTS.lane_weights, OUTPUT, 3, TOKENS).lists.span
    )
    assert report.method_id == mixed.method_id == ensemble_method(result().method_id)


def test_many_rows_of_many_members_are_cut_to_the_twenty_that_count_most() -> None:
    """SPEC 4.219, 5.5: the rest is nobody's."""
    low, high = ({row: 1 for row in range(start, start + 12)} for start in (0, 12))
    first = result(lanes=(gradient(low),), spans=())
    report = mixed_report([first, *others(gradient(high), gradient({0: 1}))])
    assert {entry.row for entry in report.entries} == {*range(12), *range(12, 20)}
    assert report.unattributed_ppm > TOTAL_PPM - DEFAULTS.lane_weights[Lane.GRADIENT]


GOOD = others(gradient({2: 9}), gradient({3: 1}))
BAD = {
    "another method": replace(GOOD[0], method_id=b"\2" * 32),
    "a row outside": replace(GOOD[0], lanes=(gradient({ROWS: 1}),)),
    "too many rows": replace(GOOD[0], lanes=(gradient({row: 1 for row in range(21)}),)),
    "found without running": replace(GOOD[0], lanes=(gradient({1: 1}, ran=False),)),
    "no lane": replace(GOOD[0], lanes=()),
    "another lane": replace(GOOD[0], lanes=(LaneUnits(Lane.RETRIEVAL, (), 1, ran=True),)),
    "two lanes": replace(GOOD[0], lanes=result().lanes),
    "spans": replace(GOOD[0], spans=result().spans),
}


@pytest.mark.parametrize("name", BAD)
def test_what_a_member_may_not_say_refuses_the_whole(name: str) -> None:
    """SPEC 4.219, 5.40"""
    with pytest.raises(ReportRefused):
        mixed_report([result(), BAD[name], GOOD[1]])


def test_members_may_name_more_rows_together_than_one_may() -> None:
    """SPEC 5.40: a lane of one adapter stays within twenty."""
    wide = result(lanes=(gradient({row: 1 for row in range(21)}),), spans=())
    with pytest.raises(ReportRefused):
        build_report(wide, MANIFEST, DEFAULTS.lane_weights, OUTPUT, 3, TOKENS)
