"""The book of what adapters cost: sums that add up, bounded, the least recently used forgotten first."""

import pytest

from inference_worker.adapters.usage import BASE, UNUSED, UsageBook, Use
from tests.inference_worker.adapters.loading import Clock


def test_sums_are_of_what_was_told():
    """SPEC 4.160"""
    clock = Clock()
    book = UsageBook(clock)
    clock.now = 17.9
    told = [(3, 2, 0.5), (5, 7, 0.25), (1, 0, 0.0)]
    for prompt, output, seconds in told:
        book.answer("a", prompt, output, seconds)
    for nbytes in (100, 50):
        book.load("a", nbytes, 0.001)
    book.load("a", 0, 0.5, 0.25)
    for microseconds in (3, 9):
        book.steps("a", microseconds)
    book.steps(None, 5)
    assert book.uses() == {
        "a": Use(17, 3, 9, 9, 750_000, 3, 150, 502_000, 12, 250_000),
        BASE: Use(step_microseconds=5),
    }


def test_loading_is_no_use():
    """SPEC 4.160"""
    book = UsageBook(Clock())
    book.load("a", 1, 1.0)
    assert book.uses()["a"].last_used == UNUSED.last_used == 0


@pytest.mark.parametrize("bound", [1, 3])
def test_the_least_recently_written_goes_first(bound):
    """SPEC 4.160"""
    book = UsageBook(Clock(), bound)
    for cid in "abcab":
        book.answer(cid, 1, 1, 0.0)
    assert list(book.uses()) == ["c", "a", "b"][-bound:]
