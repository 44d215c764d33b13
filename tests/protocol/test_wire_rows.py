"""Messages about index rows read back to themselves, and nothing else is read."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from protocol.audit import record_signs
from protocol.cid import cid_of_raw
from protocol.errors import EncodingError, WireError
from protocol.index_pages import CodeShape, RowCodes
from protocol.wire import RowsRequest, RowsResult
from protocol.wire_rows import MAX_ROWS

CID = cid_of_raw(b"index").text
SIGNS = st.lists(st.binary(min_size=8, max_size=8), min_size=1, max_size=3).map(tuple)


@given(st.lists(st.integers(0, 2**32 - 1), max_size=MAX_ROWS), st.integers(1, 4096))
def test_a_request_reads_back(rows: list[int], length: int) -> None:
    """SPEC 5.173"""
    asked = RowsRequest(CID, CID, length, tuple(rows))
    assert RowsRequest.from_json(asked.to_json()) == asked


@given(st.dictionaries(st.integers(0, 2**32 - 1), SIGNS, max_size=5))
def test_a_result_reads_back(signs: dict[int, tuple[bytes, ...]]) -> None:
    """SPEC 5.173"""
    assert RowsResult.from_json(RowsResult(signs).to_json()).signs == signs


@pytest.mark.parametrize(
    "change",
    [{"rows": [-1]}, {"rows": [2**32]}, {"rows": ["1"]}, {"rows": [1] * (MAX_ROWS + 1)}, {"v": 2},
     {"max_length": 0}, {"index_cid": "x"}, {"more": 1}],
)  # fmt: skip
def test_another_request_is_refused(change: dict[str, object]) -> None:
    """SPEC 5.173"""
    with pytest.raises(WireError):
        RowsRequest.from_json({**RowsRequest(CID, CID, 256, (1,)).to_json(), **change})


@pytest.mark.parametrize("rows", [
    [{"row": 1, "signs": ["0x00"]}, {"row": 1, "signs": ["0x00"]}], [{"row": 1, "signs": ["00"]}],
    [{"row": 1, "signs": ["0xzz"]}], [{"row": 1, "signs": ["0x000"]}], [{"row": 1}], 3,
    [{"row": -1, "signs": []}],
])  # fmt: skip
def test_another_result_is_refused(rows: object) -> None:
    """SPEC 5.173"""
    with pytest.raises(WireError):
        RowsResult.from_json({"v": 1, "rows": rows})


@given(st.integers(1, 3), st.data())
def test_signs_are_found_in_a_record(points: int, data: st.DataObject) -> None:
    """SPEC 5.173"""
    shape = CodeShape(points, 64, 2)
    signs = tuple(data.draw(st.binary(min_size=8, max_size=8)) for _ in range(points))
    record = RowCodes(7, 1, tuple(range(points)), signs, 5, b"\x9a").record()
    assert record_signs(shape, record) == signs
    with pytest.raises(EncodingError):
        record_signs(shape, record + b"\0")
