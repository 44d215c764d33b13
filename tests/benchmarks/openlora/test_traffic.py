"""Draws by a power of the rank."""

import math
from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from benchmarks.openlora.traffic import zipf_draws


@given(population=st.integers(1, 500), count=st.integers(0, 50), seed=st.integers(0, 2**32))
def test_draws_are_a_function_of_the_seed_and_below_the_population(
    population: int, count: int, seed: int
) -> None:
    draws = zipf_draws(population, count, 1.0, seed)
    assert draws == zipf_draws(population, count, 1.0, seed)
    assert len(draws) == count
    assert all(0 <= n < population for n in draws)


def test_frequencies_fall_with_the_rank() -> None:
    count, population = 40_000, 1_000
    seen = Counter(zipf_draws(population, count, 1.0, seed=5))
    harmonic = sum(1 / n for n in range(1, population + 1))
    for n in (0, 1, 4, 9):
        expected = count / (n + 1) / harmonic
        assert abs(seen[n] - expected) < 5 * math.sqrt(expected)
