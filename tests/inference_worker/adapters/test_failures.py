"""The books of what does not work: refusals stay, failures fade, neither grows without end."""

import sys

import pytest

from inference_worker.adapters.failures import MAX_REASON_CHARS, AdapterQuarantined, FailureBook
from inference_worker.adapters.refusals import NotFinite, TensorUnexpected, WrongBase
from inference_worker.errors import BlobMissing, NodeUnreachable
from tests.inference_worker.adapters.loading import Clock


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def book(clock):
    return FailureBook(5.0, clock, max_entries=3)


def test_a_refusal_stays_with_its_first_reason(book, clock):
    """SPEC 4.11"""
    book.refuse("a", WrongBase("x", "y"))
    book.refuse("a", NotFinite("t"))
    clock.now = 1e9
    with pytest.raises(AdapterQuarantined) as again:
        book.check("a")
    assert again.value.code == WrongBase.code and "y" in again.value.reason


def test_a_failure_is_repeated_until_its_time_is_over(book, clock):
    """SPEC 4.11"""
    book.fail("a", BlobMissing("a"))
    clock.now = 4.9
    with pytest.raises(BlobMissing):
        book.check("a")
    assert book.failed() == {"a": (BlobMissing.code, str(BlobMissing("a")))}
    clock.now = 5.0
    assert book.failed() == {}
    book.check("a")
    book.fail("a", NodeUnreachable("p", "r"))
    clock.now = 9.9
    with pytest.raises(NodeUnreachable):
        book.check("a")


def test_the_books_are_bounded_and_the_oldest_goes(book):
    """SPEC 4.105"""
    for number in range(10):
        book.refuse(f"r{number}", NotFinite("t"))
        book.fail(f"f{number}", BlobMissing("b"))
    assert list(book.refused()) == ["r7", "r8", "r9"] and list(book.failed()) == ["f7", "f8", "f9"]


def test_a_reason_is_bounded_however_much_it_quotes(book):
    """SPEC 4.105"""
    book.refuse("a", TensorUnexpected("x" * 10**6))
    book.fail("b", NodeUnreachable("p", "y" * 10**6))
    for _, reason in (book.refused()["a"], book.failed()["b"]):
        assert len(reason) < MAX_REASON_CHARS + 100 and "characters" in reason


def test_a_failure_keeps_nothing_of_what_was_fetched_before_it(book):
    """SPEC 4.105: neither when it is remembered nor when it is repeated."""
    fetched = bytes(1000)
    before = sys.getrefcount(fetched)

    def fails_with(held, raises):
        raises()

    def fetch():
        raise BlobMissing("b")

    for raises in (fetch, lambda: book.check("a")):
        with pytest.raises(BlobMissing) as failed:
            fails_with([fetched], raises)
        book.fail("a", failed.value)
        del failed
        assert sys.getrefcount(fetched) == before


def test_clearing_lets_an_adapter_be_tried_again(book):
    """SPEC 4.110"""
    book.refuse("a", NotFinite("t"))
    book.fail("b", BlobMissing("b"))
    assert book.clear("a") and book.clear("b") and not book.clear("a")
    book.check("a")
    book.check("b")
