"""Which rows each retraining of a validity report is made on: random halves, and all rows but one
contributor's.

Half k is a function of the seed and k alone, so a larger report begins with the halves of a smaller one.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from protocol.validity import Kind


@dataclass(frozen=True)
class Subset:
    """One retraining's rows, as places in the trained rows, ascending; named as in the report."""

    kind: Kind
    number: int
    owner: str
    places: tuple[int, ...]

    @property
    def name(self) -> str:
        """A file name."""
        return f"{self.kind}-{self.owner or self.number}"


def sample_rows(count: int, rows: int, seed: int) -> tuple[int, ...]:
    """At most `rows` of `count` places, drawn by the seed, ascending."""
    drawn = random.Random(f"{seed}/rows").sample(range(count), min(rows, count))
    return tuple(sorted(drawn))


def halves(sampled: Sequence[int], number: int, seed: int) -> list[Subset]:
    """`number` random halves; fewer than two rows have none."""
    size = len(sampled) // 2
    if size == 0:
        return []
    return [
        Subset("half", k, "", tuple(sorted(random.Random(f"{seed}/half/{k}").sample(list(sampled), size))))
        for k in range(number)
    ]


def without_owners(sampled: Sequence[int], owners: Sequence[str], number: int) -> list[Subset]:
    """The sample without each of its `number` largest contributors, after the sample as a whole, against
    which an absence is measured. Where one contributor has all rows, none can be left out.
    """
    sizes = Counter(owners[place] for place in sampled)
    largest = sorted(sizes, key=lambda owner: (-sizes[owner], owner))[:number]
    if len(sizes) < 2 or not largest:
        return []
    left = [
        Subset("without", 0, owner, tuple(place for place in sampled if owners[place] != owner))
        for owner in largest
    ]
    return [Subset("whole", 0, "", tuple(sampled)), *left]


def membership(subsets: Sequence[Subset], places: Sequence[int]) -> list[list[int]]:
    """For each subset, 1 for each of `places` that it holds, else 0."""
    return [[int(place in held) for place in places] for held in (set(one.places) for one in subsets)]
