"""Many readers cost one computation, and nobody reads what is out of date or what failed."""

import threading
from concurrent.futures import ThreadPoolExecutor

import pytest

from node.api.fresh import Fresh


def test_the_same_key_is_computed_once_however_many_ask() -> None:
    """SPEC 10.17"""
    calls, gate = [], threading.Event()

    def compute() -> int:
        gate.wait(5)
        calls.append(1)
        return len(calls)

    fresh = Fresh(compute, lambda: "key")
    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(fresh) for _ in range(8)]
        gate.set()
        assert {one.result(5) for one in asked} == {1}
    assert len(calls) == 1


def test_another_key_is_another_value() -> None:
    """SPEC 10.17"""
    keys, values = iter("aabba"), iter(range(9))
    fresh = Fresh(lambda: next(values), lambda: next(keys))
    assert [fresh() for _ in range(5)] == [0, 0, 1, 1, 2]


def test_a_failure_is_not_kept() -> None:
    """SPEC 10.17"""
    outcomes = iter([ValueError("once"), 7])

    def compute() -> int:
        outcome = next(outcomes)
        if isinstance(outcome, Exception):
            raise outcome
        return outcome

    fresh = Fresh(compute, lambda: "key")
    with pytest.raises(ValueError, match="once"):
        fresh()
    assert fresh() == 7
