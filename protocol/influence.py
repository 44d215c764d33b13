"""From integer scores to the gradient lane's units: pure, so that whoever has the scores has the units.

A row stands to the whole lane as e·g·k to (E + c)·(g + f)·1,000,000: e is its score over the threshold and E
the sum of these, c what rows would earn by chance, g the answer's likelihood gain and f the base's floor
in micro-nats, k the shrinkage in ppm. What is left is unattributed and goes to no other row.
"""

from collections.abc import Mapping
from dataclasses import dataclass

from protocol.errors import AttributionError
from protocol.lanes import MAX_UNITS, Lane, LaneUnits
from protocol.types import MAX_UINT64, TOTAL_PPM

MAX_SCORE = 2**63 - 1
MAX_CHANCE = 2**128 - 1


@dataclass(frozen=True, slots=True)
class Measured:
    """What stands beside the scores of one answer.

    `threshold` is in score units, as is `chance`, what rows would have earned by chance; `gain` and `floor`
    are micro-nats of the whole answer; `kappa_ppm` of TOTAL_PPM shrinks nothing.
    """

    threshold: int
    chance: int
    gain: int
    floor: int
    kappa_ppm: int = TOTAL_PPM

    def __post_init__(self) -> None:
        _check("threshold", self.threshold, -MAX_SCORE, MAX_SCORE)
        _check("chance", self.chance, 0, MAX_CHANCE)
        _check("gain", self.gain, 0, MAX_UINT64)
        _check("floor", self.floor, 0, MAX_UINT64)
        _check("kappa_ppm", self.kappa_ppm, 0, TOTAL_PPM)


def settle(scores: Mapping[int, int], measured: Measured) -> LaneUnits:
    """The gradient lane of an answer from the kept scores by canonical row, all of them above the threshold.

    No kept row, no gain or a shrinkage to nothing leaves all of it unattributed.
    """
    excess = {row: score - measured.threshold for row, score in sorted(scores.items())}
    if any(units <= 0 for units in excess.values()):
        raise AttributionError(f"scores {dict(scores)} are not all above the threshold {measured.threshold}")
    found = sum(excess.values())
    part = measured.gain * measured.kappa_ppm
    if found == 0 or part == 0:
        return LaneUnits(Lane.GRADIENT, (), 1, ran=True)
    whole = -(-(found + measured.chance) * (measured.gain + measured.floor) * TOTAL_PPM // part)
    # One common divisor brings all units under MAX_UNITS and keeps every proportion.
    shrink = -(-whole // MAX_UNITS)
    units = tuple((row, value // shrink) for row, value in excess.items() if value // shrink > 0)
    return LaneUnits(Lane.GRADIENT, units, whole // shrink - sum(value for _, value in units), ran=True)


def _check(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise AttributionError(f"{what} of an answer must be {low} to {high}, not {value}")
