"""Which adapters are asked for: draws whose probability falls with a power of the rank; pure.

Standard library alone, so that every environment may import it.
"""

from __future__ import annotations

import itertools
import random


def zipf_draws(population: int, count: int, exponent: float, seed: int) -> list[int]:
    """`count` numbers below `population`; number n has weight 1 / (n + 1)^exponent. Same seed, same draws."""
    if count == 0:
        return []
    weights = itertools.accumulate(1 / (n + 1) ** exponent for n in range(population))
    return random.Random(seed).choices(range(population), cum_weights=list(weights), k=count)
