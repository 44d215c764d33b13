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

MIN_SCORE, MAX_SCORE = -(2**63), 2**63 - 1
MAX_CHANCE = 2**128 - 1
# Above the sum of all that scores of 64 bits can be over their threshold.
MAX_FOUND = 2**128


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
        _check("threshold", self.threshold, MIN_SCORE, MAX_SCORE)
        _check("chance", self.chance, 0, MAX_CHANCE)
        _check("gain", self.gain, 0, MAX_UINT64)
        _check("floor", self.floor, 0, MAX_UINT64)
        _check("kappa_ppm", self.kappa_ppm, 0, TOTAL_PPM)


@dataclass(frozen=True, slots=True)
class ScoredRow:
    """A kept cluster: its canonical row, the member whose score counts, the leaf of its record in the index
    (0 is the listing's), and that score.
    """

    canonical: int
    member: int
    leaf: int
    score: int


@dataclass(frozen=True, slots=True)
class Influence:
    """What the gradient lane of one answer was computed from, through one index: the root of the index, the
    hash of the query's code, and the kept clusters by ascending canonical row.
    """

    index_root: bytes
    query_code_hash: bytes
    measured: Measured
    rows: tuple[ScoredRow, ...]

    def lane(self) -> LaneUnits:
        """The gradient lane that follows."""
        return settle({row.canonical: row.score for row in self.rows}, self.measured)


def settle(scores: Mapping[int, int], measured: Measured) -> LaneUnits:
    """The gradient lane of an answer from the kept scores by canonical row, all of them above the threshold.

    No kept row, no gain or a shrinkage to nothing leaves all of it unattributed.
    """
    excess = {row: score - measured.threshold for row, score in sorted(scores.items())}
    if any(units <= 0 for units in excess.values()):
        raise AttributionError(f"scores {dict(scores)} are not all above the threshold {measured.threshold}")
    whole, divisor = whole_of(sum(excess.values()), measured)
    units = tuple((row, value // divisor) for row, value in excess.items() if value // divisor > 0)
    return LaneUnits(Lane.GRADIENT, units, whole - sum(value for _, value in units), ran=True)


def whole_of(found: int, measured: Measured) -> tuple[int, int]:
    """Units of the whole lane where rows have `found` over the threshold, and the divisor of each row's."""
    part = measured.gain * measured.kappa_ppm
    if found == 0 or part == 0:
        return 1, MAX_FOUND
    whole = -(-(found + measured.chance) * (measured.gain + measured.floor) * TOTAL_PPM // part)
    # One common divisor brings all units under MAX_UNITS and keeps every proportion.
    divisor = -(-whole // MAX_UNITS)
    return whole // divisor, divisor


def _check(what: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise AttributionError(f"{what} of an answer must be {low} to {high}, not {value}")
