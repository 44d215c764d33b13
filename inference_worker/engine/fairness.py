"""Who has had how much of the engine: one counter for each tenant, whatever adapters it uses.

Pure and torch-free. A virtual token counter grows by what a tenant's requests cost, divided by its weight;
the tenant with the lowest counter is next. One that comes back from idleness is lifted to the lowest counter
of the active ones: nobody can save up service, and nobody owes for the time it was away.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping

INPUT_COST, OUTPUT_COST = 1, 2
# An adapter's weights are copied beside its row; a MiB takes about the time of a prompt token.
LOAD_BYTES_PER_COST = 1024 * 1024
DEFAULT_WEIGHT = 1


def load_cost(nbytes: int) -> int:
    """The cost of bringing so many bytes of an adapter into the batch, rounded up."""
    return -(-nbytes // LOAD_BYTES_PER_COST)


class FairShares:
    """Counters of all tenants. `weights` are positive; a tenant of weight 2 gets twice the share of one of
    1."""

    def __init__(self, weights: Mapping[str, int]) -> None:
        self._weights = dict(weights)
        self._requests: Counter[str] = Counter()
        self._levels: dict[str, float] = {}

    def join(self, tenant: str) -> None:
        """A request of the tenant arrived."""
        if not self._requests[tenant]:
            self._levels[tenant] = max(self._levels.get(tenant, 0.0), self._floor())
        self._requests[tenant] += 1

    def leave(self, tenant: str) -> None:
        """A request of the tenant ended, however it did."""
        assert self._requests[tenant] > 0, f"{tenant} has no request to end"
        self._requests[tenant] -= 1
        if not self._requests[tenant]:
            del self._requests[tenant]
            self._forget_idle()

    def charge(self, tenant: str, cost: int) -> None:
        """Count what an active tenant got; a negative cost gives back what it was charged too much."""
        self._levels[tenant] += cost / self._weights.get(tenant, DEFAULT_WEIGHT)

    def level(self, tenant: str) -> float:
        """The counter of an active tenant."""
        return self._levels[tenant]

    @property
    def remembered(self) -> int:
        """Tenants with a counter, active or not."""
        return len(self._levels)

    def _floor(self) -> float:
        return min((self._levels[tenant] for tenant in self._requests if self._requests[tenant]), default=0.0)

    def _forget_idle(self) -> None:
        # A counter at or below the floor says nothing: whoever comes back is lifted to the floor.
        floor = self._floor() if self._requests else float("inf")
        self._levels = {t: level for t, level in self._levels.items() if t in self._requests or level > floor}
