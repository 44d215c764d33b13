"""How far two computations of one attribution may lie apart and still be the same: three rules, no judgement.

Integers that follow from a committed code: not at all. The code itself, recomputed in fp32 on other
hardware: nearly all numbers equal, none off by more than one. A row's signs in the index: a few in a hundred,
where different rows differ in a quarter of them or more. Arithmetic in 16 bits moves half of the code and is
outside of all three.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from enum import Enum

from protocol.types import TOTAL_PPM

UNEQUAL_CODES_PPM = 1_000
LARGEST_STEP = 1
# Weights are of 65,536, relative to the largest.
LARGEST_WEIGHT_STEP = 8
MICRONATS_PER_TOKEN = 100
UNEQUAL_SIGNS_PPM = 50_000


class Tier(Enum):
    """What a recomputation says of a statement."""

    IDENTICAL = "the same bits"
    OTHER_HARDWARE = "the same within other hardware"
    REFUSED = "not the same computation"


@dataclass(frozen=True, slots=True)
class CodeDistance:
    """Of `count` int8 numbers how many differ, by how much at most, and the same of the weights."""

    count: int
    unequal: int
    largest: int
    largest_weight: int

    @property
    def tier(self) -> Tier:
        """A code of no numbers is no code."""
        if self.count and not self.unequal and not self.largest_weight:
            return Tier.IDENTICAL
        few = self.unequal * TOTAL_PPM <= self.count * UNEQUAL_CODES_PPM
        near = self.largest <= LARGEST_STEP and self.largest_weight <= LARGEST_WEIGHT_STEP
        return Tier.OTHER_HARDWARE if self.count and few and near else Tier.REFUSED

    def told(self) -> str:
        """For a reader."""
        share = f"{self.unequal} of {self.count} numbers differ"
        return f"{share}, by {self.largest} at most; weights by {self.largest_weight}"


def code_distance(
    stated: bytes, found: bytes, stated_weights: Sequence[int], found_weights: Sequence[int]
) -> CodeDistance | None:
    """Between int8 codes in two's complement with their weights; None where the shapes differ."""
    if len(stated) != len(found) or len(stated_weights) != len(found_weights):
        return None
    steps = [abs(_int8(one) - _int8(other)) for one, other in zip(stated, found, strict=True)]
    weights = [abs(one - other) for one, other in zip(stated_weights, found_weights, strict=True)]
    return CodeDistance(
        len(steps), sum(step > 0 for step in steps), max(steps, default=0), max(weights, default=0)
    )


def likelihood_tier(stated: int, found: int, tokens: int) -> Tier:
    """Between log-likelihoods of an answer of so many tokens, in micro-nats."""
    if stated == found:
        return Tier.IDENTICAL
    near = abs(stated - found) <= MICRONATS_PER_TOKEN * tokens
    return Tier.OTHER_HARDWARE if near else Tier.REFUSED


def signs_tier(stated: bytes, found: bytes) -> Tier:
    """Between the packed signs of one row, by their Hamming distance."""
    if len(stated) != len(found) or not stated:
        return Tier.REFUSED
    unequal = (int.from_bytes(stated, "big") ^ int.from_bytes(found, "big")).bit_count()
    if not unequal:
        return Tier.IDENTICAL
    few = unequal * TOTAL_PPM <= 8 * len(stated) * UNEQUAL_SIGNS_PPM
    return Tier.OTHER_HARDWARE if few else Tier.REFUSED


def _int8(value: int) -> int:
    return value - 256 if value >> 7 else value
