import pytest

from protocol.attribution import MAX_UNITS, Lane, LaneUnits
from protocol.cid import cid_of_raw
from protocol.errors import WireError
from protocol.wire_attribute import MAX_LANE_ROWS, AttributeRequest, AttributeResult

CID = cid_of_raw(b"").text
REQUEST = AttributeRequest("r", 0, None, CID, CID, (), (), 1).to_json()
LANE = {"lane": "gradient", "units": [[1, 2]], "unattributed": 0, "ran": True}
RESULT = AttributeResult(bytes(32), (LaneUnits(Lane.SPAN, (), 1, True),), (), ()).to_json()


@pytest.mark.parametrize(
    "changes",
    [
        {"lanes": ["span", "span"]},
        {"lanes": ["unattributed"]},
        {"lanes": [1]},
        {"lanes": ["span"] * 4},
        {"min_span_tokens": 0},
        {"index_cid": None},
        {"manifest_cid": CID[:-1]},
        {"output_ids": [-1]},
    ],
)
def test_requests_out_of_bounds_are_refused(changes):
    """SPEC 0.19"""
    with pytest.raises(WireError) as caught:
        AttributeRequest.from_json({**REQUEST, **changes})
    assert next(iter(changes)) in caught.value.field


@pytest.mark.parametrize(
    "changes",
    [
        {"units": [[1, 2], [1, 3]]},
        {"units": [[1, -2]]},
        {"units": [[1, MAX_UNITS + 1]]},
        {"units": [[1]]},
        {"units": [[1, True]]},
        {"units": [["1", 2]]},
        {"units": [[2**32, 1]]},
        {"units": [1]},
        {"extra": 0},
        {"units": [[row, 1] for row in range(MAX_LANE_ROWS + 1)]},
        {"unattributed": -1},
        {"ran": 1},
        {"lane": "unattributed"},
    ],
)
def test_lanes_out_of_bounds_are_refused(changes):
    """SPEC 0.19"""
    assert AttributeResult.from_json({**RESULT, "lanes": [LANE]}).lanes[0].units == ((1, 2),)
    with pytest.raises(WireError) as caught:
        AttributeResult.from_json({**RESULT, "lanes": [{**LANE, **changes}]})
    assert caught.value.field.startswith("attributed.lanes[0]") and next(iter(changes)) in caught.value.field


@pytest.mark.parametrize("span", [{"start": 0, "length": 0, "row": 0, "row_start": 0}, {"start": 0}, []])
def test_spans_out_of_bounds_are_refused(span):
    """SPEC 0.19"""
    with pytest.raises(WireError):
        AttributeResult.from_json({**RESULT, "spans": [span]})
