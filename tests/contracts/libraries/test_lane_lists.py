"""LaneLists and ReportShares against the vectors of protocol.lane_lists."""

from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3.contract import Contract

from protocol.epoch_json import LIST_NAMES
from protocol.lane_lists import LaneLists, list_shares, lists_flaw, units_words
from protocol.parameters import DEFAULT_WEIGHTS
from tests.contracts.libraries.conftest import vectors

WEIGHTS = tuple(DEFAULT_WEIGHTS.values())


def words(case: dict[str, Any]) -> tuple[list[int], ...]:
    return tuple([int(word, 16) for word in case[name]] for name in ("gradient", "span", "retrieval"))


def test_hashes_and_roots_are_those_of_the_vectors(libraries: Contract) -> None:
    """SPEC 5.60, 7.33"""
    for case in vectors("attribution")["cases"]:
        lists = case["report"]["lists"]
        hashes = [
            libraries.functions.laneHash([int(word) for word in lists[name]]).call() for name in LIST_NAMES
        ]
        assert ["0x" + one.hex() for one in hashes] == case["laneHashes"]
        root = libraries.functions.reportRoot(bytes.fromhex(case["entriesRoot"][2:]), *hashes).call()
        assert "0x" + root.hex() == case["root"]


def test_shares_are_those_of_the_vectors(libraries: Contract) -> None:
    """SPEC 5.62, 7.33: every share, the unattributed part last, and nothing beyond it."""
    for case in vectors("faults")["lists"]:
        shares = [tuple(share) for share in case["shares"]]
        assert libraries.functions.listsFlaw(words(case), case["outputTokens"]).call() == 0
        for wanted, share in enumerate([*shares, (0, 0, 0)]):
            call = libraries.functions.shareAt(words(case), WEIGHTS, case["outputTokens"], wanted)
            assert call.call() == [len(shares), share]


def test_flaws_are_those_of_the_vectors(libraries: Contract) -> None:
    """SPEC 7.33, 7.94"""
    for case in vectors("faults")["flawed"]:
        assert libraries.functions.listsFlaw(words(case), case["outputTokens"]).call() == case["flaw"]


def test_spans_are_judged_as_in_the_vectors(libraries: Contract) -> None:
    """SPEC 7.33, 7.91, 7.92"""
    for case in vectors("faults")["spans"]:
        part = [int(word, 16) for word in case["words"]]
        bounds = (case["outputTokens"], case["least"], case["rowCount"])
        for place, flaw in enumerate(case["flaws"], start=1):
            assert libraries.functions.spanFlaw(part, place, *bounds).call() == flaw
        for one in case["candidates"]:
            assert libraries.functions.isOmission(part, tuple(one["match"])).call() == one["omitted"]


@given(
    rows=st.lists(st.integers(0, 2**33), max_size=22),
    units=st.lists(st.integers(0, 2**54), min_size=22, max_size=22),
    header=st.integers(0, 2**66),
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=60, deadline=None)
def test_any_words_are_judged_as_python_judges_them(
    libraries: Contract, rows: list[int], units: list[int], header: int
) -> None:
    """SPEC 7.33, 7.94"""
    pairs = list(zip(sorted(rows), units, strict=False))
    part = (header, *units_words(pairs, 0)[1:])
    lists = LaneLists(gradient=part)
    flaw = lists_flaw(lists, 9)
    given_lists = tuple(list(one) for one in lists.parts)
    assert libraries.functions.listsFlaw(given_lists, 9).call() == flaw
    if not flaw:
        shares = list_shares(lists, DEFAULT_WEIGHTS, 9)
        last = libraries.functions.shareAt(given_lists, WEIGHTS, 9, len(shares) - 1).call()
        assert last == [len(shares), tuple(int(part) for part in shares[-1])]
