"""Evidence computed elsewhere: within tolerance it is the receipt's that counts, beyond it is refused."""

from dataclasses import replace

import pytest

from node.attribution.scored_recheck import recheck, with_gain
from protocol.hashing import sha256
from protocol.influence import Influence, Measured, ScoredRow
from protocol.query_code import CodeBytes
from protocol.wire import AttributeResult

TOKENS = 10
CODE = CodeBytes((65_536, 40_000), (bytes(1024), bytes(range(256)) * 4)).encode()
ROWS = (ScoredRow(0, 0, 5, 900), ScoredRow(3, 4, 9, 700))


def moved(by: dict[int, int]) -> bytes:
    """CODE with numbers of its first point changed."""
    first = bytearray(1024)
    for place, value in by.items():
        first[place] = value % 256
    return CodeBytes((65_536, 40_000), (bytes(first), bytes(range(256)) * 4)).encode()


def section(code: bytes = CODE, gain: int = 5_000_000, top: int = 900) -> Influence:
    rows = (replace(ROWS[0], score=top), ROWS[1])
    return Influence(bytes(32), sha256(code), Measured(100, 50, gain, 1_000_000), rows)


def result(code: bytes = CODE, gain: int = 5_000_000, top: int = 900) -> AttributeResult:
    found = section(code, gain, top)
    return AttributeResult(
        b"\7" * 32, (found.lane(),), (), ("x",) * TOKENS, influence=(found,), query_codes=(code,)
    )


class Under:
    """Answers as under the stated code, and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked: list[bytes] = []

    async def __call__(self, code: bytes) -> AttributeResult:
        self.asked.append(code)
        return result(code)


async def check(
    found: AttributeResult, code: bytes | None = CODE
) -> tuple[AttributeResult, list[bool | None], int]:
    under = Under()
    checked = await recheck(section(), code, found, TOKENS, under)
    return checked.result, [one.agrees for one in checked.findings], len(under.asked)


async def test_the_same_bits_are_taken_as_they_are() -> None:
    """SPEC 5.176"""
    assert await check(result()) == (result(), [True, True], 0)


@pytest.mark.parametrize("by", [{0: 1}, {0: -1, 7: 1}])
async def test_a_code_within_other_hardware_gives_way_to_the_stated_one(by: dict[int, int]) -> None:
    """SPEC 5.176: rows are scored anew under it, and come out as stated."""
    assert await check(result(moved(by), top=930)) == (result(), [True, True], 1)


@pytest.mark.parametrize(
    "code",
    [moved({0: 2}), moved({place: 1 for place in range(5)}), CodeBytes((65_536,), (bytes(1024),)).encode()],
)
async def test_a_code_beyond_it_is_refused_and_rows_stay_as_found(code: bytes) -> None:
    """SPEC 5.176"""
    found = result(code, top=930)
    assert await check(found) == (found, [False, True], 0)


async def test_a_code_whose_stated_bytes_are_gone_cannot_be_told() -> None:
    """SPEC 5.176"""
    assert (await check(result(moved({0: 1})), code=None))[1] == [None, True]


@pytest.mark.parametrize(("by", "agrees"), [(1_000, True), (-1_000, True), (1_001, False), (-1_001, False)])
async def test_the_stated_gain_counts_within_its_tolerance(by: int, agrees: bool) -> None:
    """SPEC 5.176: and with it the very same units."""
    found = result(gain=5_000_000 + by)
    checked, verdicts, _ = await check(found)
    assert verdicts == [True, agrees]
    assert (checked == result()) is agrees and with_gain(found, section()) == result()


async def test_a_worker_without_a_gradient_contradicts_a_receipt_with_one() -> None:
    """SPEC 5.176"""
    bare = replace(result(), influence=(), query_codes=())
    assert (await check(bare))[1] == [False]
