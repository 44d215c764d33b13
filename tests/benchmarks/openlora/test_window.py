"""Which tokens count, and what is said of them."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.openlora.window import WARM_TOKENS, Window, quantile


def run(window: Window, rows: int, late: list[int]) -> int:
    """Steps of the whole batch, row r joining after late[r] steps; returns how many steps it took."""
    step = 0
    while not window.is_closed:
        for row in range(rows):
            if step >= late[row]:
                window.saw(row, 100 * row + step - late[row])
        step += 1
    return step


@given(late=st.lists(st.integers(0, 4), min_size=1, max_size=6), steps=st.integers(1, 5))
def test_the_window_opens_when_all_rows_are_warm_and_lasts_its_steps(late: list[int], steps: int) -> None:
    window = Window(len(late), steps)
    assert run(window, len(late), late) == max(late) + WARM_TOKENS + steps


@given(late=st.lists(st.integers(0, 4), min_size=1, max_size=6), steps=st.integers(1, 5))
def test_rows_are_compared_at_the_same_place_whenever_they_joined(late: list[int], steps: int) -> None:
    window = Window(len(late), steps)
    run(window, len(late), late)
    assert window.sample().last == tuple(100 * row + WARM_TOKENS + steps - 1 for row in range(len(late)))


def test_tokens_after_the_end_change_nothing() -> None:
    window = Window(2, 3)
    run(window, 2, [0, 0])
    before = window.sample()
    window.saw(0, 7)
    assert window.sample() == before


def test_a_window_that_is_not_closed_has_no_sample() -> None:
    window = Window(2, 3)
    window.saw(0, 1)
    with pytest.raises(AssertionError, match="not closed"):
        window.sample()


@given(
    values=st.lists(st.floats(0, 1e6), min_size=1, max_size=50), share=st.sampled_from([0.01, 0.5, 0.9, 0.99])
)
def test_a_quantile_is_the_smallest_value_with_that_share_below(values: list[float], share: float) -> None:
    found = quantile(values, share)
    assert found in values
    assert sum(v <= found for v in values) >= share * len(values)
    assert sum(v < found for v in values) < share * len(values)
