"""Medians and bootstrap intervals of paired measurements; pure.

Two engines are compared round by round: whatever else the machine did in a round fell on both, so the ratio
within a round says more than the ratio of two medians.
"""

from __future__ import annotations

import random
import statistics
from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

RESAMPLES = 10_000
# Below this an interval is narrow because little was seen, not because little varies.
FEWEST_ROUNDS = 5
_TAIL = 0.025


@dataclass(frozen=True)
class Spread:
    """Lowest, middle and highest of n values."""

    n: int
    low: float
    median: float
    high: float


@dataclass(frozen=True)
class Interval:
    """A median and the 95 % interval around it."""

    low: float
    median: float
    high: float


class Verdict(Enum):
    """What an interval says about a goal."""

    BEATS = "beats the goal"
    CONTAINS = "contains the goal"
    SHORT = "falls short"
    UNDECIDED = "too few rounds"


def spread_of(values: Sequence[float]) -> Spread:
    """The spread of at least one value."""
    return Spread(len(values), min(values), statistics.median(values), max(values))


def paired_ratios(over: Sequence[float], under: Sequence[float]) -> list[float]:
    """Quotients round by round; both sides have one value for each round."""
    return [a / b for a, b in zip(over, under, strict=True)]


def bootstrap_median(values: Sequence[float], seed: int, resamples: int = RESAMPLES) -> Interval:
    """The median and its percentile bootstrap interval; the same for the same values and seed."""
    drawn = random.Random(seed)
    medians = sorted(statistics.median(drawn.choices(values, k=len(values))) for _ in range(resamples))
    edge = int(_TAIL * resamples)
    return Interval(medians[edge], statistics.median(values), medians[-1 - edge])


def judge(interval: Interval, goal: float, at_least: bool) -> Verdict:
    """Whether the whole interval meets the goal, a part of it, or nothing."""
    low, high = (interval.low, interval.high) if at_least else (-interval.high, -interval.low)
    wanted = goal if at_least else -goal
    if low >= wanted:
        return Verdict.BEATS
    return Verdict.CONTAINS if high >= wanted else Verdict.SHORT
