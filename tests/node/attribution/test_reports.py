"""A worker's report is believed only as far as it can be checked."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from node.attribution.reports import ReportRefused, build_report
from protocol.attribution import Lane, LaneUnits
from protocol.cid import cid_of_raw
from protocol.manifest import GRANTED, Manifest, ManifestRow
from protocol.parameters import DEFAULTS
from protocol.spans import Match, span_units
from protocol.types import TOTAL_PPM, Address
from protocol.wire import AttributeResult

ROWS = 24
OWNERS = [Address(f"0x{1 + row % 3:040x}") for row in range(ROWS)]
MANIFEST = Manifest(
    1,
    1,
    0,
    tuple(
        ManifestRow(
            row, f"0x{row:064x}", OWNERS[row], row, "CC0-1.0", GRANTED, False, cid_of_raw(b"row").text
        )
        for row in range(ROWS)
    ),
    (),
)
OUTPUT = tuple(range(100, 112))
TOKENS = {0: (7, 100, 101, 102, 103, 8), 1: (110, 111)}
SPANS = (Match(0, 4, 0, 1),)


def result(**changes: object) -> AttributeResult:
    gradient = LaneUnits(Lane.GRADIENT, ((0, 5), (3, 9)), 2, ran=True)
    right = AttributeResult(
        b"\1" * 32, (gradient, span_units(SPANS, len(OUTPUT))), SPANS, ("x",) * len(OUTPUT)
    )
    return replace(right, **changes)  # type: ignore[arg-type]


def report_of(given_result: AttributeResult, min_span: int = 3) -> object:
    return build_report(given_result, MANIFEST, DEFAULTS.lane_weights, OUTPUT, min_span, TOKENS)


@given(
    units=st.dictionaries(st.integers(0, ROWS - 1), st.integers(0, 10**6), max_size=20),
    rest=st.integers(0, 10**6),
)
def test_every_report_that_passes_is_one_whole(units: dict[int, int], rest: int) -> None:
    """SPEC 5.40"""
    lane = LaneUnits(Lane.GRADIENT, tuple(units.items()), rest, ran=True)
    report = build_report(result(lanes=(lane,), spans=()), MANIFEST, DEFAULTS.lane_weights, OUTPUT, 3, {})
    assert report.unattributed_ppm + sum(entry.ppm for entry in report.entries) == TOTAL_PPM
    assert {entry.row for entry in report.entries} <= units.keys()
    assert all(entry.owner == OWNERS[entry.row] for entry in report.entries)


@pytest.mark.parametrize(
    "lane",
    [
        LaneUnits(Lane.GRADIENT, ((ROWS, 1),), 0, ran=True),
        LaneUnits(Lane.GRADIENT, tuple((row, 1) for row in range(21)), 0, ran=True),
        LaneUnits(Lane.GRADIENT, ((0, 1),), 0, ran=False),
    ],
    ids=["row outside", "21 rows", "found without running"],
)
def test_a_lane_that_breaks_the_rules_is_refused(lane: LaneUnits) -> None:
    """SPEC 5.40"""
    with pytest.raises(ReportRefused):
        report_of(result(lanes=(lane,), spans=()))


@pytest.mark.parametrize(
    "spans",
    [
        (),
        (Match(0, 3, 0, 1),),
        (Match(0, 4, 0, 0),),
        (Match(0, 4, 1, 0),),
        (Match(9, 4, 2, 0),),
        (Match(0, 4, 0, 1), Match(10, 2, 1, 0)),
    ],
    ids=[
        "none",
        "shorter",
        "elsewhere in the row",
        "another row",
        "past the answer",
        "one below the threshold",
    ],
)
def test_a_span_lane_is_exactly_what_its_matches_make(spans: tuple[Match, ...]) -> None:
    """SPEC 5.41"""
    report_of(result())
    with pytest.raises(ReportRefused):
        report_of(result(spans=spans))


def test_a_false_span_is_refused_even_where_the_lane_agrees_with_it() -> None:
    """SPEC 5.41: the row's own tokens decide."""
    lie = (Match(4, 4, 0, 1),)
    lanes = (result().lanes[0], span_units(lie, len(OUTPUT)))
    with pytest.raises(ReportRefused):
        report_of(result(spans=lie, lanes=lanes))
    unknown_row = (Match(4, 4, 5, 1),)
    report_of(result(spans=unknown_row, lanes=(result().lanes[0], span_units(unknown_row, len(OUTPUT)))))
