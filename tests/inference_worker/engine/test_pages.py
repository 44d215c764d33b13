"""Laws of the page pool over random use: pages are conserved, sequences come before what is only kept."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from inference_worker.engine.pages import PAGE_POSITIONS, PagePool, pages_for

TOTAL = 12
SEQUENCES, NAMES = st.integers(0, 4), st.integers(0, 7).map(lambda n: bytes([n]))


@given(st.integers(0, 10_000))
def test_pages_for_is_the_least_number_that_holds_them(positions):
    """SPEC 4.120"""
    pages = pages_for(positions)
    assert (pages - 1) * PAGE_POSITIONS < positions <= pages * PAGE_POSITIONS or positions == pages == 0


class PoolUse(RuleBasedStateMachine):
    """A pool beside the plainest book that could stand for it: two lists."""

    def __init__(self):
        super().__init__()
        self.evicted = []
        self.pool = PagePool(TOTAL, self.evicted.append)
        self.held, self.kept = {}, []

    def room(self):
        return TOTAL - sum(self.held.values())

    def give_up(self, needed):
        gone = []
        while self.room() - sum(pages for _, pages in self.kept) < needed:
            gone.append(self.kept.pop(0)[0])
        return gone

    @rule(sequence=SEQUENCES, pages=st.integers(0, TOTAL + 1))
    def hold(self, sequence, pages):
        self.evicted.clear()
        more = max(0, pages - self.held.get(sequence, 0))
        assert self.pool.hold(sequence, pages) == (more <= self.room())
        if more and more <= self.room():
            assert self.evicted == self.give_up(more)
            self.held[sequence] = pages
        assert self.pool.held_by(sequence) == self.held.get(sequence, 0)

    @rule(sequence=SEQUENCES)
    def release(self, sequence):
        self.pool.release(sequence)
        self.held.pop(sequence, None)

    @rule(name=NAMES, pages=st.integers(1, 5))
    def keep(self, name, pages):
        self.evicted.clear()
        possible = name not in dict(self.kept) and pages <= self.room()
        assert self.pool.keep(name, pages) == possible
        if possible:
            assert self.evicted == self.give_up(pages)
            self.kept.append((name, pages))

    @rule(names=st.lists(NAMES, unique=True, max_size=4))
    def touch(self, names):
        self.pool.touch(names)
        for name in reversed(names):
            self.kept.sort(key=lambda entry, name=name: entry[0] == name)

    @invariant()
    def pages_are_conserved(self):
        """SPEC 4.120"""
        assert self.pool.held == sum(self.held.values())
        assert self.pool.kept == sum(pages for _, pages in self.kept)
        assert self.pool.held + self.pool.kept + self.pool.free == TOTAL and self.pool.free >= 0
        assert {name for name, _ in self.kept} == {bytes([n]) for n in range(8) if bytes([n]) in self.pool}


TestPoolUse = PoolUse.TestCase
TestPoolUse.settings = settings(max_examples=30, stateful_step_count=30)


def test_the_beginning_of_a_chain_outlives_its_end():
    """SPEC 4.123"""
    evicted = []
    pool = PagePool(3, evicted.append)
    for count in range(1, 4):
        pool.keep(bytes([count]), 1)
        pool.touch([bytes([n]) for n in range(1, count + 1)])
    assert pool.hold(0, 3)
    assert evicted == [b"\3", b"\2", b"\1"]


@pytest.mark.parametrize("pages", [3, 4])
def test_a_sequence_is_never_given_up_for_an_entry(pages):
    """SPEC 4.120"""
    pool = PagePool(4, lambda name: None)
    pool.hold(0, 2)
    assert not pool.keep(b"x", pages) and pool.held_by(0) == 2
