"""ScoreMath against the vectors and the scores of protocol.query_code."""

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3.contract import Contract

from protocol.hashing import from_hex
from protocol.index_pages import CodeShape
from protocol.query_code import decode_code, is_code, may_earn, row_of, score_of
from tests.contracts.libraries.conftest import vectors
from tests.protocol.test_query_code import code_of
from tests.protocol.test_query_code import row_of as row_codes

SHAPES = st.builds(CodeShape, st.integers(1, 3), st.sampled_from([64, 192, 256]), st.sampled_from([0, 2, 48]))


def unhex(text: str) -> bytes:
    return from_hex(text, len(text) // 2 - 1)


def test_scores_are_those_of_the_vectors(libraries: Contract) -> None:
    """SPEC 5.185, 7.33, 7.125: the largest, the smallest, and what does not fit."""
    unfit = 0
    for case in vectors("influence")["scores"]:
        found = libraries.functions.rowScore(unhex(case["code"]), unhex(case["record"])).call()
        expected = [False, 0] if case["score"] is None else [True, int(case["score"])]
        assert found == expected
        unfit += case["score"] is None
    assert unfit == 2


def test_records_are_those_of_the_index_vectors(libraries: Contract) -> None:
    """SPEC 5.121, 7.33, 7.125"""
    for case in vectors("index")["cases"]:
        for row in case["rows"]:
            payload, number, earns = libraries.functions.rowRecord(unhex(row["record"])).call()
            assert payload == unhex(row["payload"])
            assert (number, earns) == (row["row"], row["flags"] == 1)


@given(shape=SHAPES, seed=st.integers(0, 10**6), flags=st.integers(0, 7), data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40, deadline=None)
def test_any_code_and_record_score_as_in_python(
    libraries: Contract, shape: CodeShape, seed: int, flags: int, data: st.DataObject
) -> None:
    """SPEC 5.185, 7.33, 7.125: whole ones, and with a byte of the head changed or one cut off."""
    code = bytearray(code_of(shape, seed).encode())
    record = row_codes(shape, seed + 1, flags).record()
    if seed % 3 == 1:
        code[data.draw(st.integers(0, 6))] ^= 1 << seed % 8
    if seed % 3 == 2:
        record = record[: len(record) - seed % 2] + b"\0" * (seed % 5 == 0)
    score = score_of(decode_code(bytes(code)), record) if is_code(bytes(code)) else None
    assert libraries.functions.rowScore(bytes(code), record).call() == [score is not None, score or 0]
    _, number, earns = libraries.functions.rowRecord(record).call()
    assert (number, earns) == (row_of(record), may_earn(record))
