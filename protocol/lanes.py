"""The ways of finding an answer's sources, and what each of them found before near-duplicates are merged."""

from dataclasses import dataclass
from enum import IntEnum

from protocol.errors import AttributionError

MAX_ROWS_PER_LANE = 20
MAX_SPANS = 64
MAX_UNITS = 2**53 - 1
MAX_OUTPUT_TOKENS = 1 << 17
# The base's own part of an answer's likelihood, granted for every token of it.
BASE_MICRONATS_PER_TOKEN = 100_000


class Lane(IntEnum):
    """How a source was found; the number is what the attribution root binds."""

    UNATTRIBUTED = 0
    GRADIENT = 1
    SPAN = 2
    RETRIEVAL = 3


@dataclass(frozen=True, slots=True)
class LaneUnits:
    """What one lane found: (row, units) pairs, its unattributed units, and whether it could run at all."""

    lane: Lane
    units: tuple[tuple[int, int], ...]
    unattributed: int
    ran: bool

    def __post_init__(self) -> None:
        rows = [row for row, _ in self.units]
        if self.lane is Lane.UNATTRIBUTED or len(set(rows)) != len(rows):
            raise AttributionError(f"lane {self.lane.name} names rows {rows}: one real lane, each row once")
        for units in (self.unattributed, *(units for _, units in self.units)):
            if not 0 <= units <= MAX_UNITS:
                raise AttributionError(f"{units} units in lane {self.lane.name}")
