"""What the daemon's parts say of themselves, as last seen, so that anyone may ask often."""

import asyncio
import time
from collections.abc import Callable, Mapping

from node.api.fresh import Fresh, period
from node.api.ledger_source import LedgerSource
from node.api.ports import Component
from node.chain.rpc import Chain
from node.errors import OpenLedgerError
from node.serving.worker_client import WorkerClient

STALE_SECONDS = 30.0


class HealthSource:
    """Satisfies `ports.Health`. `probe` is stepped by the daemon; what is asked for is its last result."""

    def __init__(
        self,
        chain: Chain,
        worker: WorkerClient,
        ledger: LedgerSource,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._chain = chain
        self._worker = worker
        self._stages = Fresh(ledger.numbers, period)
        self._clock = clock
        self._seen: dict[str, Component] = {}
        self._probed_at = float("-inf")

    async def probe(self) -> None:
        """Look at each part once."""
        chain = await asyncio.to_thread(self._probe_chain)
        self._seen = {"chain": chain, "worker": await self._probe_worker()}
        self._probed_at = self._clock()

    def components(self) -> tuple[Component, ...]:
        """The last probe; not ready where that is too long ago."""
        age = self._clock() - self._probed_at
        fresh = Component(
            "probe", age < STALE_SECONDS, "current" if age < STALE_SECONDS else "no recent probe"
        )
        return (*self._seen.values(), fresh)

    def stages(self) -> Mapping[str, Mapping[str, int | str]]:
        """The nine stages' numbers."""
        return self._stages()

    def _probe_chain(self) -> Component:
        try:
            head = self._chain.head()
        except OpenLedgerError as error:
            return Component("chain", False, error.message)
        return Component("chain", True, f"block {head.number}")

    async def _probe_worker(self) -> Component:
        try:
            health = await self._worker.health()
        except OpenLedgerError as error:
            return Component("worker", False, error.message)
        resident = len(health.adapters)
        return Component("worker", health.status == "ok", f"{health.base.name}, {resident} adapters known")
