"""What is asked of an engine and what it answers, as both sides of the pipe see it.

Standard library alone: every peer's environment imports this module.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any

PROMPT_TOKENS = 16
_FIRST_TOKEN = 1000


@dataclass(frozen=True)
class Case:
    """One measurement: a batch of running streams.

    `adapters` has one entry for each row: the number of its adapter, or None for the base. Meanwhile
    `loads_per_second` adapters that were never seen are loaded. `registered` is how many adapters the engine
    must know; 0 where that is of no matter.
    """

    name: str
    adapters: tuple[int | None, ...]
    steps: int
    loads_per_second: float = 0.0
    registered: int = 0

    @property
    def rows(self) -> int:
        """Streams that run at once."""
        return len(self.adapters)

    @property
    def distinct(self) -> int:
        """How many different adapters the rows name."""
        return len({a for a in self.adapters if a is not None})

    def to_json(self) -> dict[str, Any]:
        """For the pipe and the journal."""
        return asdict(self)

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Case:
        """The reverse of `to_json`."""
        return Case(**{**data, "adapters": tuple(data["adapters"])})


@dataclass(frozen=True)
class Sample:
    """What one measurement found: figures by name, and of each row the token at the same place."""

    figures: Mapping[str, float]
    last: tuple[int, ...] = field(default=())

    def to_json(self) -> dict[str, Any]:
        """For the pipe and the journal."""
        return {"figures": dict(self.figures), "last": list(self.last)}

    @staticmethod
    def from_json(data: Mapping[str, Any]) -> Sample:
        """The reverse of `to_json`."""
        return Sample(dict(data["figures"]), tuple(data["last"]))


def prompts(rows: int) -> list[list[int]]:
    """Token ids, one prompt a row, all of one length, so that no engine pads; no two rows are alike."""
    return [[_FIRST_TOKEN + 37 * row + place for place in range(PROMPT_TOKENS)] for row in range(rows)]


def spread(rows: int, distinct: int) -> tuple[int | None, ...]:
    """Adapters 0 to distinct-1 in turn over the rows; the base alone for 0."""
    return tuple(row % distinct if distinct else None for row in range(rows))
