"""The adapters that a running vLLM knows, each under its content id, so that its cached prompts are those of
these bytes. The base alone is one of them: all zeros.

vLLM's CPU build gives a row without an adapter the one of the last slot; with every row of some adapter no
such row exists.
"""

from __future__ import annotations

import asyncio
import shutil
from collections import OrderedDict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

import structlog

from inference_worker.adapters.packing import PackedAdapter
from inference_worker.adapters.shape import BaseShape
from inference_worker.errors import WorkerError
from inference_worker.vllm.client import VllmClient
from inference_worker.vllm.folders import write_folder, zero_adapter

log = structlog.get_logger()

NO_ADAPTER = "no-adapter"


@dataclass
class _Known:
    uses: int = 0


class Registry:
    """At most `capacity` adapters, those in use excepted, the least recently used dropped first. Of one
    event loop."""

    def __init__(self, folder: Path, shape: BaseShape, capacity: int, client: VllmClient) -> None:
        self._folder, self._shape, self._capacity, self._client = folder, shape, capacity, client
        self._known: OrderedDict[str, _Known] = OrderedDict()
        self._lock = asyncio.Lock()
        self._zero = zero_adapter(NO_ADAPTER, shape)

    async def begin(self) -> None:
        """Start anew with a vLLM that knows nothing yet."""
        async with self._lock:
            self._known = OrderedDict()
            shutil.rmtree(self._folder, ignore_errors=True)
            self._folder.mkdir(mode=0o700, parents=True)
            await self._load(self._zero)

    @asynccontextmanager
    async def named(self, packed: PackedAdapter | None) -> AsyncIterator[str]:
        """The name under which vLLM serves a checked adapter, or the base alone, while in this block."""
        wanted = packed or self._zero
        known = self._known.get(wanted.cid)
        if known is None:
            # To its end also when the caller leaves, or vLLM would know of an adapter that we do not.
            taking = asyncio.ensure_future(self._take(wanted))
            try:
                known = await asyncio.shield(taking)
            except asyncio.CancelledError:
                taking.add_done_callback(_give_back)
                raise
        else:
            known.uses += 1
            self._known.move_to_end(wanted.cid)
        try:
            yield wanted.cid
        finally:
            known.uses -= 1

    async def _take(self, packed: PackedAdapter) -> _Known:
        # One at a time: vLLM loads in its step loop, so that several at once would stop it for longer.
        async with self._lock:
            if packed.cid not in self._known:
                await self._make_room()
                await self._load(packed)
            known = self._known[packed.cid]
            known.uses += 1
            return known

    async def _load(self, packed: PackedAdapter) -> None:
        folder = self._folder / packed.cid
        try:
            await asyncio.to_thread(write_folder, folder, packed, self._shape)
            await self._client.register(packed.cid, folder)
        except WorkerError:
            shutil.rmtree(folder, ignore_errors=True)
            raise
        self._known[packed.cid] = _Known()

    async def _make_room(self) -> None:
        while len(self._known) >= self._capacity:
            idle = (cid for cid, known in self._known.items() if known.uses == 0 and cid != NO_ADAPTER)
            victim = next(idle, None)
            if victim is None:
                return
            # Forgotten before vLLM is told, so that nobody takes it in between.
            del self._known[victim]
            try:
                await self._client.drop(victim)
            except WorkerError as error:
                # No fault of whoever needs the room; a vLLM that is gone says so to the load that follows.
                log.warning("vllm_adapter_not_dropped", cid=victim, reason=str(error))
            await asyncio.to_thread(shutil.rmtree, self._folder / victim, True)


def _give_back(taking: asyncio.Future[_Known]) -> None:
    if not taking.cancelled() and taking.exception() is None:
        taking.result().uses -= 1
