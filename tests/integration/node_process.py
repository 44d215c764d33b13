"""A node in a process of its own, so that it can be killed: the real daemon, and a few commands over a Unix
socket.
"""

import asyncio
import dataclasses
import sys
from pathlib import Path

from aiohttp import web

from node.chain.keccak import keccak
from node.daemon import Core, Daemon
from node.pipeline import InferenceRequest
from node.serving.live import Finished
from protocol.hashing import sha256
from protocol.rewards import stakers_account
from protocol.sampling import Sampling
from tests.integration.ledger_world import MODEL, FileCatalog, settings_from_json

CORE = web.AppKey("core", Core)
routes = web.RouteTableDef()


def inference_request(prompt: str, key: str, api_key: str) -> InferenceRequest:
    return InferenceRequest(
        model=MODEL,
        messages=None,
        prompt=prompt,
        max_tokens=12,
        sampling=Sampling(temperature=0.0, seed=7),
        idempotency_key=key,
        body_digest=sha256(prompt.encode("utf-8")),
        api_key=api_key,
        voucher=None,
    )


@routes.post("/ask")
async def ask(request: web.Request) -> web.Response:
    """The whole answer; what comes after it runs on."""
    pipeline = request.app[CORE].pipeline
    admission = await pipeline.admit(inference_request(**await request.json()))
    text, finished = "", None
    async for event in pipeline.stream(admission):
        if isinstance(event, Finished):
            finished = dataclasses.asdict(event)
        else:
            text += event.text
    return web.json_response({"text": text, "finished": finished, "id": admission.request_id.hex()})


@routes.post("/settled")
async def settled(request: web.Request) -> web.Response:
    """Wait for what comes after an answer."""
    await request.app[CORE].pipeline.settled(bytes.fromhex((await request.json())["id"]))
    return web.json_response({})


@routes.post("/turn")
async def turn(request: web.Request) -> web.Response:
    """One turn of the settlement; whether anything is left to do."""
    core = request.app[CORE]
    await asyncio.to_thread(core.clock.refresh)
    await asyncio.to_thread(core.settlement.step)
    return web.json_response({"open": await asyncio.to_thread(core.settlement.open_work)})


@routes.post("/claim")
async def claim(request: web.Request) -> web.Response:
    """Claim for everyone who earned something; wei by account."""
    core = request.app[CORE]
    stakers = stakers_account(core.node, keccak)
    paid = {stakers: await asyncio.to_thread(core.claims.claim_for_stakers, core.node)}
    for earner in core.earnings.earners():
        if earner.account != stakers:
            paid[earner.account] = await asyncio.to_thread(core.claims.claim, earner.account)
    return web.json_response({account: str(amount) for account, amount in paid.items()})


async def serve(settings_file: Path) -> None:
    settings = settings_from_json(await asyncio.to_thread(settings_file.read_text))
    daemon = Daemon(settings, lambda *_: FileCatalog(settings.data_dir / "catalog.json"))
    app = web.Application()
    app[CORE] = await daemon.start()
    app.add_routes(routes)
    runner = web.AppRunner(app, access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(settings.data_dir / "control.sock")).start()
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1])))
