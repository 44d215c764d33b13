"""How many retrainings a profile asks for, by set."""

from __future__ import annotations

from dataclasses import dataclass

from benchmarks.attribution.retrain import Job
from benchmarks.attribution.rows import CONTRIBUTORS


@dataclass(frozen=True)
class Plan:
    """Subsets of the truth, each trained in `orders` orders, and throw-away adapters of the method."""

    subsets: int
    orders: int
    adapters: int

    def truth(self) -> list[Job]:
        """Random halves."""
        return [Job("truth", number) for number in range(self.subsets)]

    def without(self) -> list[Job]:
        """One contributor left out each time."""
        return [Job("without", number) for number in range(CONTRIBUTORS)]

    def covariance(self) -> list[Job]:
        """The method's own halves."""
        return [Job("covariance", number) for number in range(self.adapters)]

    def jobs(self) -> list[Job]:
        """All of them, those that every figure needs first."""
        again = [Job("again", job.number) for job in self.truth()] if self.orders == 2 else []
        return [*self.truth(), *self.covariance(), *self.without(), *again]


PROFILES: dict[str, dict[str, Plan]] = {
    "reduced": {"sent": Plan(32, 1, 48), "math": Plan(24, 1, 48), "hpo": Plan(24, 1, 48)},
    "full": {"sent": Plan(64, 2, 96), "math": Plan(64, 2, 96), "hpo": Plan(64, 2, 96)},
}
