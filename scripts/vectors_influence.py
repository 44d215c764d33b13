"""Golden cases of the gradient lane: from scores to units."""

from collections.abc import Mapping
from dataclasses import asdict

from protocol.influence import MAX_CHANCE, MAX_SCORE, Measured, settle
from protocol.types import MAX_UINT64
from scripts.vectors_samples import Case

GAIN, FLOOR = 16_000_000, 600_000


def influence() -> Case:
    twenty = {7 * place: 10**9 + place**3 for place in range(20)}
    cases: tuple[tuple[str, Mapping[int, int], Measured], ...] = (
        ("plain", {3: 1_700, 9: 1_200}, Measured(1_000, 100, GAIN, FLOOR)),
        ("twenty rows, shrunk to two thirds", twenty, Measured(10**9 - 1, 777, GAIN, FLOOR, 666_667)),
        ("threshold below zero", {0: -5, 4: 12}, Measured(-9, 3, GAIN, FLOOR)),
        ("nothing found", {}, Measured(1_000, 100, GAIN, FLOOR)),
        ("no gain", {3: 1_700}, Measured(1_000, 100, 0, FLOOR)),
        ("shrunk to nothing", {3: 1_700}, Measured(1_000, 100, GAIN, FLOOR, 0)),
        ("shrunk to one ppm", {3: 1_700, 5: 1_001}, Measured(1_000, 0, GAIN, FLOOR, 1)),
        ("too large for the units", {1: 2**60, 2: 2**54, 3: 4}, Measured(3, 2**87, GAIN, FLOOR, 500_000)),
        (
            "all at their limits",
            {row: MAX_SCORE for row in range(20)},
            Measured(-MAX_SCORE, MAX_CHANCE, 1, MAX_UINT64, 1),
        ),
    )
    return {"units": [_units_case(*case) for case in cases]}


def _units_case(name: str, scores: Mapping[int, int], measured: Measured) -> Case:
    lane = settle(scores, measured)
    return {
        "name": name,
        "scores": [[row, str(score)] for row, score in scores.items()],
        "measured": {field: str(value) for field, value in asdict(measured).items()},
        "units": [[row, str(units)] for row, units in lane.units],
        "unattributed": str(lane.unattributed),
    }
