"""The bridge from the engine's thread to asyncio: one request as an async iterator of its events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress

from inference_worker.adapters.packing import PackedAdapter
from inference_worker.engine.backend import Backend
from inference_worker.engine.job import GenerationJob
from inference_worker.engine.sequence import Event, Failed, Finished, SamplingParams


async def stream(
    engine: Backend,
    prompt_ids: tuple[int, ...],
    params: SamplingParams,
    adapter: PackedAdapter | None,
    tenant: str,
    on_closed: Callable[[], None],
) -> AsyncIterator[Event]:
    """Events up to and including Finished or Failed.

    Closing the iterator early cancels the request. `on_closed` is called exactly once whatever happens,
    also when the engine refuses the request (RequestTooLong, EngineBusy).
    """
    loop = asyncio.get_running_loop()
    events: asyncio.Queue[Event] = asyncio.Queue()

    def emit(event: Event) -> None:
        # A loop that is gone has nobody left to tell.
        with suppress(RuntimeError):
            loop.call_soon_threadsafe(events.put_nowait, event)

    try:
        sequence = engine.submit(GenerationJob(prompt_ids, params, adapter, tenant, emit, on_closed))
    except Exception:
        on_closed()
        raise
    ended = False
    try:
        while not ended:
            event = await events.get()
            ended = isinstance(event, Finished | Failed)
            yield event
    finally:
        if not ended:
            engine.cancel(sequence)
