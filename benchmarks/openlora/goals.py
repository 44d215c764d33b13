"""The figures that the engine is held to, each a ratio of two measurements of the same round."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from benchmarks.openlora.intervals import (
    FEWEST_ROUNDS,
    Interval,
    Verdict,
    bootstrap_median,
    judge,
    paired_ratios,
)

RATE = "tokens_per_cpu_second"


@dataclass(frozen=True)
class Figure:
    """One column of the measurements: an engine, a case and a figure's name."""

    engine: str
    case: str
    name: str = RATE


@dataclass(frozen=True)
class Goal:
    """`over` divided by `under` must reach `value`, or stay within it where `at_least` is false."""

    title: str
    over: Figure
    under: Figure
    value: float
    at_least: bool = True


@dataclass(frozen=True)
class Outcome:
    """A goal with what was measured; `interval` is None where an engine did not run."""

    goal: Goal
    rounds: int
    interval: Interval | None
    verdict: Verdict | None


# Values by figure and round.
Measured = Mapping[Figure, Mapping[int, float]]


def outcome_of(goal: Goal, measured: Measured, seed: int) -> Outcome:
    """The interval and verdict of the ratios in the rounds that have both sides."""
    over, under = measured.get(goal.over, {}), measured.get(goal.under, {})
    rounds = sorted(set(over) & set(under))
    if not rounds:
        return Outcome(goal, 0, None, None)
    ratios = paired_ratios([over[r] for r in rounds], [under[r] for r in rounds])
    interval = bootstrap_median(ratios, seed)
    verdict = judge(interval, goal.value, goal.at_least)
    return Outcome(
        goal, len(rounds), interval, verdict if len(rounds) >= FEWEST_ROUNDS else Verdict.UNDECIDED
    )
