"""InfluenceLists against the vectors and the words of protocol.influence_list."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3.contract import Contract

from protocol.hashing import from_hex
from protocol.influence import MAX_CHANCE, MIN_SCORE, Measured
from protocol.influence_list import (
    influence_flaw,
    influence_words,
    is_omission,
    read_influence,
    units_at,
    units_follow,
)
from protocol.lane_lists import units_words
from protocol.types import MAX_UINT64, TOTAL_PPM
from tests.contracts.libraries.conftest import vectors
from tests.protocol.test_influence_list import SECTION, sections

ON_CHAIN = settings(
    suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25, deadline=None
)


def words(texts: list[str]) -> list[int]:
    return [int(text, 16) for text in texts]


def test_units_follow_as_in_the_vectors(libraries: Contract) -> None:
    """SPEC 5.183, 7.33, 7.125"""
    for case in vectors("influence")["lists"]:
        influence = words(case["words"])
        functions = libraries.functions
        assert functions.influenceFlaw(influence).call() == 0
        assert functions.unitsFollow(influence, words(case["gradient"])).call()
        for other in case["others"]:
            assert functions.unitsFollow(influence, words(other["gradient"])).call() is other["follows"]
        for place, units in enumerate(case["unitsAt"]):
            assert functions.unitsAt(influence, place).call() == int(units)
        for row, score, omitted in case["omissions"]:
            assert functions.isOmittedRow(influence, row, int(score)).call() is omitted


def test_flaws_and_digests_are_those_of_the_vectors(libraries: Contract) -> None:
    """SPEC 5.182, 5.184, 7.33, 7.125"""
    flaws = set()
    for case in vectors("influence")["flawed"]:
        assert libraries.functions.influenceFlaw(words(case["words"])).call() == case["flaw"]
        flaws.add(case["flaw"])
    assert len(flaws) == 5
    case = vectors("influence")["ensemble"]
    both = words(case["words"])
    assert libraries.functions.indexDigest(both).call() == from_hex(case["indexDigest"], 32)
    assert libraries.functions.indexDigest(both[: len(both) // 2]).call() == from_hex(case["alone"], 32)


def struct(case: Any) -> tuple[Any, ...]:
    """A section as the contract reads it, but for where its rows stand."""
    one = case.measured
    head = case.index_root, case.query_code_hash, one.threshold, one.chance
    return (*head, one.gain, one.floor, one.kappa_ppm)


@given(listed=st.lists(sections(4), max_size=3), change=st.integers(0, 2**256 - 1), data=st.data())
@ON_CHAIN
def test_any_words_are_read_as_python_reads_them(
    libraries: Contract, listed: list[Any], change: int, data: st.DataObject
) -> None:
    """SPEC 5.182, 7.33, 7.125: honest lists, and lists with one word changed."""
    part = list(influence_words(listed))
    if part and change % 2:
        part[data.draw(st.integers(0, len(part) - 1))] ^= 1 << (change >> 8) % 256
    flaw = influence_flaw(part)
    assert libraries.functions.influenceFlaw(part).call() == flaw
    if flaw:
        return
    for number, one in enumerate(read_influence(part)):
        is_there, found = libraries.functions.influenceSection(part, number).call()
        assert is_there and tuple(found[:7]) == struct(one) and found[8] - found[7] == len(one.rows)
    assert not libraries.functions.influenceSection(part, len(read_influence(part))).call()[0]


@given(section=sections(), revoked=st.integers(0, 2**20 - 1), row=st.integers(0, 45), more=st.integers(-2, 2))
@ON_CHAIN
def test_units_and_omissions_are_judged_as_python_judges_them(
    libraries: Contract, section: Any, revoked: int, row: int, more: int
) -> None:
    """SPEC 5.183, 7.33, 7.125"""
    part, lane = influence_words([section]), section.lane()
    kept = [pair for place, pair in enumerate(lane.units) if not revoked >> place & 1]
    lost = sum(units for _, units in lane.units) - sum(units for _, units in kept)
    gradient = units_words(kept, max(0, lane.unattributed + lost + more))
    follows = units_follow(part, gradient)
    assert libraries.functions.unitsFollow(list(part), list(gradient)).call() is follows
    assert follows or more
    for place in range(min(3, len(section.rows))):
        assert libraries.functions.unitsAt(list(part), place).call() == units_at(section, place)
    scores = [one.score for one in section.rows] or [section.measured.threshold]
    score = scores[row % len(scores)] + more
    assert libraries.functions.isOmittedRow(list(part), row, score).call() is is_omission(section, row, score)


def test_a_list_at_its_limits_overflows_nothing(libraries: Contract) -> None:
    """SPEC 5.182"""
    measured = Measured(MIN_SCORE, MAX_CHANCE, 1, MAX_UINT64, 1)
    rows = tuple(SECTION.rows[:1])
    for kappa in (1, TOTAL_PPM):
        one = type(SECTION)(
            b"\1" * 32, b"\2" * 32, Measured(MIN_SCORE, MAX_CHANCE, 1, MAX_UINT64, kappa), rows
        )
        lane = one.lane()
        gradient = units_words(lane.units, lane.unattributed)
        assert libraries.functions.unitsFollow(list(influence_words([one])), list(gradient)).call()
    assert measured.threshold == MIN_SCORE
