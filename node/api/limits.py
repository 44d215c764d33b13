"""How many requests may be open at once, in all and by one client; one too many is refused, not queued."""

from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager

from node.api.problems import Problem


class InFlight:
    """Counts open requests by client. For one event loop: it takes no lock."""

    def __init__(self, total: int, per_client: int) -> None:
        self._total = total
        self._per_client = per_client
        self._open: Counter[str] = Counter()

    @property
    def open(self) -> int:
        """Requests open now."""
        return self._open.total()

    @contextmanager
    def entered(self, client: str) -> Iterator[None]:
        """Holds one place for `client`. Raises Problem 429 or 503."""
        if self._open[client] >= self._per_client:
            message = f"{self._per_client} requests of this client are already open"
            raise Problem(429, "too_many_requests", message, retry=True, retry_after=1)
        if self.open >= self._total:
            raise Problem(503, "busy", f"all {self._total} places are taken", retry=True, retry_after=2)
        self._open[client] += 1
        try:
            yield
        finally:
            self._open[client] -= 1
            # A client that has gone must not stay in memory.
            if not self._open[client]:
                del self._open[client]
