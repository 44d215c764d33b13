"""Prompts in, answers out as server-sent events."""

from __future__ import annotations

import json
import time
from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import dataclass

from aiohttp import web

from inference_worker.adapters.usage import BASE, UsageBook
from inference_worker.engine.sequence import Event, Failed, Finished, TokenProduced
from inference_worker.engine.stream import stream
from inference_worker.routes.adapters import lease
from inference_worker.routes.replies import read_json, refusal_of_failure
from inference_worker.routes.services import SERVICES, Services, in_thread
from protocol.context import Context
from protocol.hashing import from_hex
from protocol.wire import (
    ErrorEvent,
    GenerateRequest,
    GenerateResult,
    TokenEvent,
    TokenizeRequest,
    TokenizeResult,
)

routes = web.RouteTableDef()


@dataclass(frozen=True)
class Prompt:
    """Token ids, and where rows stand among them."""

    ids: tuple[int, ...]
    context: Context | None


@routes.post("/tokenize")
async def tokenize(request: web.Request) -> web.Response:
    """Ids of a prompt as generation would see it."""
    services = request.app[SERVICES]
    asked = TokenizeRequest.from_json(await read_json(request))
    place = services.prompts.place
    ids, _ = await in_thread(services.quick, place, asked.messages, asked.prompt, asked.context)
    return web.json_response(TokenizeResult(ids).to_json())


@routes.post("/generate")
async def generate(request: web.Request) -> web.StreamResponse:
    """Stream an answer; a failure before its first token is an ordinary HTTP refusal."""
    services = request.app[SERVICES]
    asked = GenerateRequest.from_json(await read_json(request))
    services.fences.check("generate", asked.request_id, asked.fence)
    place = services.prompts.place
    prompt, context = await in_thread(
        services.quick, place, asked.messages, asked.prompt, asked.context, asked.prompt_ids
    )
    params = await in_thread(services.quick, services.sampling.resolve, asked.sampling, asked.max_tokens)
    cid = services.ensembles.give(asked.ensemble) if asked.ensemble else asked.adapter_cid
    adapter = await lease(services.loader, cid) if cid else None
    tenant = asked.tenant or cid or "base"

    def release() -> None:
        if adapter is not None:
            services.loader.release(adapter.cid)

    events = stream(services.engine, prompt, params, adapter, tenant, release)
    events = counted(events, services.loader.usage, adapter.cid if adapter else BASE, len(prompt))
    async with aclosing(events):  # type: ignore[type-var]
        first = await anext(events)
        if isinstance(first, Failed):
            return refusal_of_failure(first)
        return await _answer(request, Prompt(prompt, context), first, events)


async def counted(
    events: AsyncIterator[Event], usage: UsageBook, cid: str, prompt_tokens: int
) -> AsyncIterator[Event]:
    """The same events; what the answer took is booked on its adapter, whichever way it ends once begun."""
    started, begun, produced = time.perf_counter(), False, 0
    try:
        async with aclosing(events):  # type: ignore[type-var]
            async for event in events:
                begun = True
                produced += isinstance(event, TokenProduced)
                yield event
    finally:
        if begun:
            usage.answer(cid, prompt_tokens, produced, time.perf_counter() - started)


async def _answer(
    request: web.Request, prompt: Prompt, first: Event, rest: AsyncIterator[Event]
) -> web.StreamResponse:
    services = request.app[SERVICES]
    response = web.StreamResponse(
        headers={"Content-Type": "text/event-stream", "Cache-Control": "no-store", "X-Accel-Buffering": "no"}
    )
    await response.prepare(request)
    await response.write(sse(first, prompt, services))
    async for event in rest:
        await response.write(sse(event, prompt, services))
    await response.write_eof()
    return response


def sse(event: Event, prompt: Prompt, services: Services) -> bytes:
    """One server-sent event."""
    body: dict[str, object]
    if isinstance(event, TokenProduced):
        scores = services.sampling.told(event)
        name, body = "token", TokenEvent(event.index, event.token, event.text, scores).to_json()
    elif isinstance(event, Finished):
        result = GenerateResult(
            prompt.ids,
            event.output_ids,
            event.text,
            event.finish_reason,
            from_hex(services.profile_id, 32),
            prompt.context,
        )
        name, body = "done", result.to_json()
    else:
        name, body = "error", ErrorEvent(event.code, event.message[:4096]).to_json()
    return f"event: {name}\ndata: {json.dumps(body, separators=(',', ':'))}\n\n".encode()
