"""How far a report of few retrainings misleads: `python -m benchmarks.attribution_few [--set sent]`.

Takes the retrainings that `make bench-attribution` left, judges the default recipe's codes (one checkpoint,
no throw-away adapters) by all of them, and then by a few drawn at random, as a validity report would: does
its interval hold the figure of all, and how far is what it measures, and what is believed of it, from there.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from benchmarks.attribution.folders import Folders, open_set
from benchmarks.attribution.ours import Setting, attribute
from benchmarks.attribution.plan import Plan
from inference_worker.evaluation.agreement import Floats, correlate
from protocol.shrinkage import Estimate, shrinkage

PPM = 1_000_000
TRIALS, QUESTIONS = 24, 48
HALVES, LEFT_OUT = (4, 8), (3, 5)
WITHOUT = "without one contributor"


@dataclass(frozen=True)
class Side:
    """Predictions and measured values, both (questions, retrainings), with their agreement over all."""

    name: str
    predicted: Floats
    actual: Floats
    whole: Estimate


def side(name: str, predicted: Floats, actual: Floats) -> Side:
    """A side with the agreement of all its retrainings."""
    return Side(name, predicted, actual, correlate({name: predicted}, actual, 0).by_method[name])


def sides(name: str, plan: Plan) -> tuple[Side, Side]:
    """Halves, and one contributor left out, of one set."""
    opened = open_set(Folders(name), plan)
    setting = Setting(points=1, adapters=0)
    scores = attribute(opened.task, opened.made, None, setting, opened.seeds.sketch).scores.astype(np.float64)
    truth = opened.seen.truth
    owned = np.stack([truth.owners == owner for owner in range(len(truth.without))]).astype(np.float64)
    return (
        side("halves", scores @ truth.members.T.astype(np.float64), -truth.losses.T),
        side(WITHOUT, scores @ owned.T, truth.without.T),
    )


def trials(one: Side, count: int) -> str:
    """One line: `count` retrainings and QUESTIONS questions, drawn TRIALS times."""
    drawn = np.random.default_rng(count)
    held, found, rho = 0, [], []
    for trial in range(TRIALS):
        columns = drawn.choice(one.actual.shape[1], count, replace=False)
        rows = drawn.choice(len(one.actual), QUESTIONS, replace=False)
        parts = (part[rows][:, columns] for part in (one.predicted, one.actual))
        seen = correlate({one.name: next(parts)}, next(parts), trial).by_method[one.name]
        held += seen.low_ppm <= one.whole.ppm <= seen.high_ppm
        found.append(seen.ppm - one.whole.ppm)
        rho.append(shrinkage(seen, count).rho_ppm - one.whole.ppm)
    # Only agreement without contributors decides pay.
    believed = f"{_rms(rho):>12.3f}" if one.name == WITHOUT else ""
    return f"{one.name:<28}{count:>4}{held:>9} of {TRIALS}{_rms(found):>10.3f}{believed}"


def _rms(errors: Sequence[int]) -> float:
    return float(np.sqrt(np.mean(np.square(errors)))) / PPM


def main(arguments: Sequence[str]) -> int:
    """Prints the table."""
    parser = argparse.ArgumentParser(prog="benchmarks.attribution_few", description=__doc__)
    parser.add_argument("--set", default="sent")
    parser.add_argument("--subsets", type=int, default=32, help="halves that were trained on")
    options = parser.parse_args(arguments)
    halves, without = sides(options.set, Plan(options.subsets, 1, 1))
    for one in (halves, without):
        low, high = one.whole.low_ppm / PPM, one.whole.high_ppm / PPM
        sys.stdout.write(f"all {one.name}: {one.whole.ppm / PPM:.3f} ({low:.3f} to {high:.3f})\n")
    sys.stdout.write(f"{'':<28}{'few':>4}{'held':>15}{'error':>10}{'believed':>12}\n")
    for one, counts in ((halves, HALVES), (without, LEFT_OUT)):
        for count in counts:
            sys.stdout.write(trials(one, count) + "\n")
            sys.stdout.flush()
    return 0


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
