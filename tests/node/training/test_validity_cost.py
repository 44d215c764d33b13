from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from node.training.validity_cost import Cost, cost_of
from tests.protocol.validity_made import made_report

counts = st.integers(0, 60)


def test_only_what_is_missing_costs() -> None:
    """SPEC 5.233: the report has four halves of 10 rows and two contributors left out, two passes each."""
    assert cost_of(made_report(), 4, 2, 5) == Cost(0, 0)
    assert cost_of(made_report(), 6, 2, 5) == Cost(2, 2 * 10 * 2)
    assert cost_of(made_report(), 4, 9, 5) == Cost(3, 3 * 20 * 2)


@given(counts, counts, counts, counts)
def test_more_never_costs_less_and_fewer_than_made_costs_nothing(
    subsets: int, contributors: int, more: int, owners: int
) -> None:
    """SPEC 5.233"""
    less = cost_of(made_report(), subsets, contributors, owners)
    much = cost_of(made_report(), subsets + more, contributors + more, owners)
    assert less.row_passes <= much.row_passes and less.retrainings <= much.retrainings


def test_a_first_left_out_contributor_needs_the_whole_to_compare_with() -> None:
    """SPEC 5.233"""
    bare = replace(made_report(), retrainings=(), payouts=None)
    assert cost_of(bare, 0, 2, 5).retrainings == 3
    assert cost_of(bare, 0, 2, 1).retrainings == 0


def test_seconds_are_at_the_pace_of_the_training() -> None:
    """SPEC 5.233"""
    assert Cost(3, 50).seconds(100, 60) == 30
