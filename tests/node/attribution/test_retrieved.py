"""The node against a worker's retrieval lane: the rows were the node's, and sums are sums."""

from dataclasses import replace

import pytest

from node.attribution.reports import ReportRefused
from node.attribution.retrieved import check_retrieved, shown_rows
from protocol.attribution import Lane, LaneUnits
from protocol.cid import cid_of_raw
from protocol.context import Context, PlacedRow
from protocol.manifest import GRANTED, Manifest, ManifestRow
from protocol.retrieval import Ablations
from protocol.types import TOTAL_PPM, Address
from protocol.wire import AttributeRequest, AttributeResult
from tests.integration import worker_server

ROWS = worker_server.ROWS
CID = cid_of_raw(b"blob").text
MANIFEST = Manifest(
    1, 1, 0,
    tuple(
        ManifestRow(n, "0x" + f"{n:064x}", Address("0x" + "aa" * 20), n, "CC0-1.0", GRANTED, False, CID)
        for n in range(ROWS)
    ),
    (),
)  # fmt: skip
CONTEXT = Context(0, 6, (PlacedRow(7, 1, 3), PlacedRow(4, 3, 5)))
LANES = (Lane.GRADIENT, Lane.SPAN, Lane.RETRIEVAL)
REQUEST = AttributeRequest("r", 1, CID, CID, CID, tuple(range(9)), (1, 2), 3, LANES, CONTEXT)
GOOD = worker_server.retrieval(REQUEST, CONTEXT)
LANE = GOOD.lanes[0]
SILENT = LaneUnits(Lane.RETRIEVAL, (), 0, ran=False)


def measured() -> Ablations:
    assert GOOD.ablations is not None
    return GOOD.ablations


def test_the_lane_that_its_measurements_make_is_taken() -> None:
    """SPEC 5.209"""
    check_retrieved(REQUEST, GOOD, MANIFEST)
    assert {row for row, _ in LANE.units} == {7, 4}
    plain = replace(REQUEST, lanes=LANES[:2], context=None)
    check_retrieved(plain, AttributeResult(bytes(32), (), (), ()), MANIFEST)


def test_a_lane_that_did_not_run_is_taken_and_earns_nothing() -> None:
    """SPEC 5.212"""
    check_retrieved(REQUEST, replace(GOOD, lanes=(SILENT,), ablations=None), MANIFEST)


BAD = {
    "no lane": replace(GOOD, lanes=()),
    "no measurements": replace(GOOD, ablations=None),
    "measurements without a lane": replace(GOOD, lanes=(SILENT,)),
    "a row that was not retrieved": replace(GOOD, lanes=(replace(LANE, units=((3, 1),)),)),
    "more units": replace(GOOD, lanes=(replace(LANE, units=((7, 10**9), (4, 1))),)),
    "less unattributed": replace(GOOD, lanes=(replace(LANE, unattributed=1),)),
    "other rows for chance": replace(
        GOOD, ablations=replace(measured(), nulls=measured().nulls[::-1])
    ),
    "a log-likelihood less": replace(GOOD, ablations=replace(measured(), values=measured().values[1:])),
    "another log-likelihood": replace(
        GOOD, ablations=replace(measured(), values=((0, -(10**6)), *measured().values[1:]))
    ),
}  # fmt: skip


@pytest.mark.parametrize("name", BAD)
def test_any_other_lane_is_refused(name: str) -> None:
    """SPEC 5.209"""
    with pytest.raises(ReportRefused):
        check_retrieved(REQUEST, BAD[name], MANIFEST)


def test_a_lane_that_nobody_asked_for_is_refused() -> None:
    """SPEC 5.209"""
    for request in (replace(REQUEST, lanes=LANES[:2]), replace(REQUEST, context=None)):
        with pytest.raises(ReportRefused):
            check_retrieved(request, GOOD, MANIFEST)


def test_readers_are_shown_what_each_row_added() -> None:
    """SPEC 5.205: by the members' weights, where a model is made of several."""
    rows = [[7, 1, 3, 7 * 10**6], [4, 3, 5, 4 * 10**6]]
    shown = shown_rows([REQUEST], [GOOD], [TOTAL_PPM])
    assert shown == {"start": 0, "end": 6, "rows": rows, "ablations": [measured().to_json()]}
    halves = shown_rows([REQUEST] * 2, [GOOD] * 2, [500_000] * 2)
    assert halves is not None and halves["rows"] == rows
    nothing = shown_rows([REQUEST], [replace(GOOD, lanes=(SILENT,), ablations=None)], [TOTAL_PPM])
    assert nothing is not None and nothing["rows"] == [[7, 1, 3, None], [4, 3, 5, None]]
    assert shown_rows([replace(REQUEST, context=None)], [GOOD], [TOTAL_PPM]) is None
