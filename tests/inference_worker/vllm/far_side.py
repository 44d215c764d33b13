"""A far side with vLLM's routes and vLLM's known faults, for injecting them in a second instead of a minute.

It computes nothing: the tokens of an answer are a function of the adapter's bytes and the prompt. Its faults
are those measured on vLLM 0.32 for CPUs: a row without an adapter gets the last one loaded, one NaN makes
every later logprob null, and any folder is taken.
"""

import asyncio
import hashlib
import json
import os
import sys
from pathlib import Path

import torch
from aiohttp import web
from safetensors.torch import load_file

STEP_SECONDS = 0.004
LOADED, RUNNING, KEY = {}, set(), os.environ["VLLM_API_KEY"]
STATE = {"poisoned": False}


async def load(request):
    asked = await request.json()
    if asked["lora_name"] in LOADED:
        return web.json_response({"error": "already loaded"}, status=400)
    LOADED[asked["lora_name"]] = Path(asked["lora_path"])
    return web.Response(text="loaded")


async def unload(request):
    del LOADED[(await request.json())["lora_name"]]
    return web.Response(text="dropped")


def seed_and_health(name, prompt):
    folder = LOADED[name] if name in LOADED else list(LOADED.values())[-1]
    weights = folder / "adapter_model.safetensors"
    sound = all(bool(torch.isfinite(t).all()) for t in load_file(weights).values())
    return hashlib.sha256(weights.read_bytes() + bytes(i % 256 for i in prompt)).digest(), sound


async def complete(request):
    asked = await request.json()
    seed, sound = seed_and_health(asked["model"], asked["prompt"])
    reply = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await reply.prepare(request)
    RUNNING.add(id(request))
    try:
        for place in range(asked["max_tokens"]):
            STATE["poisoned"] |= not sound
            token = 32 + seed[place % 32] % 90
            logprob = None if STATE["poisoned"] else -1.5
            name = f"token_id:{token}"
            told = {"tokens": [name], "token_logprobs": [logprob], "top_logprobs": [{name: logprob}]}
            await reply.write(f"data: {json.dumps({'choices': [{'logprobs': told}]})}\n\n".encode())
            await asyncio.sleep(STEP_SECONDS)
    finally:
        RUNNING.discard(id(request))
    await reply.write(b"data: [DONE]\n\n")
    return reply


async def metrics(_):
    return web.Response(text=f'vllm:num_requests_running{{engine="0"}} {float(len(RUNNING))}\n')


@web.middleware
async def require_key(request, handler):
    if request.path.startswith("/v1") and request.headers.get("Authorization") != f"Bearer {KEY}":
        raise web.HTTPUnauthorized
    return await handler(request)


def main():
    app = web.Application(middlewares=[require_key])
    app.router.add_get("/health", lambda _: asyncio.sleep(0, web.Response()))
    app.router.add_get("/metrics", metrics)
    app.router.add_post("/v1/load_lora_adapter", load)
    app.router.add_post("/v1/unload_lora_adapter", unload)
    app.router.add_post("/v1/completions", complete)
    socket = next(a.removeprefix("--uds=") for a in sys.argv if a.startswith("--uds="))
    web.run_app(app, path=socket, handler_cancellation=True, print=None)


if __name__ == "__main__":
    main()
