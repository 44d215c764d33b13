from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference_worker.training.subsets import halves, membership, sample_rows, without_owners

seeds = st.integers(0, 2**64 - 1)


@given(st.integers(1, 60), st.integers(2, 60), seeds)
def test_a_sample_is_as_large_as_asked_and_of_rows_there_are(count: int, rows: int, seed: int) -> None:
    """SPEC 5.228"""
    sampled = sample_rows(count, rows, seed)
    assert len(sampled) == min(count, rows) and list(sampled) == sorted(set(sampled) & set(range(count)))
    assert sampled == sample_rows(count, rows, seed)


@given(st.integers(2, 40), st.integers(0, 6), st.integers(0, 6), seeds)
def test_more_halves_begin_with_the_fewer(size: int, few: int, more: int, seed: int) -> None:
    """SPEC 5.228"""
    sampled = range(size)
    found = halves(sampled, few + more, seed)
    assert found[:few] == halves(sampled, few, seed)
    assert all(len(one.places) == size // 2 and set(one.places) <= set(sampled) for one in found)
    assert [one.number for one in found] == list(range(few + more))


def test_halves_differ_and_every_row_is_in_about_half_of_them() -> None:
    """SPEC 5.228"""
    found = halves(range(40), 200, seed=3)
    assert len({one.places for one in found}) == 200
    held = Counter(place for one in found for place in one.places)
    assert all(70 <= held[place] <= 130 for place in range(40))


def test_each_of_the_largest_contributors_is_left_out_once_after_the_whole() -> None:
    """SPEC 5.228"""
    owners = ["a", "b", "b", "c", "c", "c", "b", "d"]
    found = without_owners(range(8), owners, 2)
    assert [(one.kind, one.owner) for one in found] == [("whole", ""), ("without", "b"), ("without", "c")]
    assert found[0].places == tuple(range(8))
    for one in found[1:]:
        assert {owners[place] for place in one.places} == set("abcd") - {one.owner}
    assert len({one.name for one in found}) == len(found)


@pytest.mark.parametrize(("owners", "number"), [(["a", "a"], 4), (["a", "b"], 0)])
def test_a_single_contributor_cannot_be_left_out(owners: list[str], number: int) -> None:
    """SPEC 5.228"""
    assert without_owners(range(2), owners, number) == []


def test_membership_counts_the_rows_of_each_subset() -> None:
    """SPEC 5.228"""
    found = halves((3, 5, 8, 9), 3, seed=1)
    for one, flags in zip(found, membership(found, (3, 5, 8, 9)), strict=True):
        assert [place for place, flag in zip((3, 5, 8, 9), flags, strict=True) if flag] == list(one.places)
