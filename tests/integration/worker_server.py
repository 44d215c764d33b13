"""A small worker over HTTP for tests of the node: the real routes and messages, with arithmetic in place of
a model.

Its tokens are the UTF-8 bytes of a text, and its answers follow from a hash of the prompt and the seed, so
that a test can say beforehand what each of them will be. The real worker is exercised in tests/e2e.
"""

import asyncio
import hashlib
import json
import sys
from dataclasses import replace
from pathlib import Path

from aiohttp import web
from aiohttp.typedefs import Handler

from protocol.attribution import Lane, LaneUnits
from protocol.context import FOOTER, HEADER, Context, ContextRow, PlacedRow, segment
from protocol.hashing import sha256
from protocol.retrieval import (
    Ablations,
    Null,
    draw_nulls,
    masks_of,
    null_places,
    orders_of,
    retrieval_lane,
    seed_of,
)
from protocol.spans import Match, span_units
from protocol.wire import (
    AttributeRequest,
    AttributeResult,
    BaseInfo,
    GenerateRequest,
    GenerateResult,
    TokenEvent,
    TokenizeRequest,
    TokenizeResult,
    WorkerHealth,
)
from tests.protocol.influences import CODE, scored

FINGERPRINT = "0x" + "11" * 32
TOKENIZER = "0x" + "22" * 32
PROFILE = bytes.fromhex("33" * 32)
METHOD = bytes.fromhex("44" * 32)
ROWS = 12
SPAN_TOKENS = 3


def prompt_ids(messages: tuple[tuple[str, str], ...] | None, prompt: str | None) -> tuple[int, ...]:
    text = (
        prompt if prompt is not None else "\n".join(f"{role}: {content}" for role, content in messages or ())
    )
    return tuple(text.encode("utf-8"))


def placed(
    messages: tuple[tuple[str, str], ...] | None, prompt: str | None, rows: tuple[ContextRow, ...]
) -> tuple[tuple[int, ...], Context | None]:
    """The prompt with the rows before it, each a line, and where they stand."""
    asked = prompt_ids(messages, prompt)
    if not rows:
        return asked, None
    ids, places = list(HEADER.encode()), []
    for row in rows:
        start = len(ids)
        ids += segment(row.text).encode()
        places.append(PlacedRow(row.row, start, len(ids)))
    ids += FOOTER.encode()
    return (*ids, *asked), Context(0, len(ids), tuple(places))


def retrieval(asked: AttributeRequest, context: Context) -> AttributeResult:
    """As if each row made the answer likelier by its index, and drawn rows by nothing."""
    seed = seed_of(asked.index_cid, asked.manifest_cid, asked.prompt_ids, asked.output_ids)
    orders = orders_of(len(context.rows), seed)

    def worth(mask: int) -> int:
        return sum(10**6 * row for place, row in enumerate(context.indexes) if mask >> place & 1)

    full = (1 << len(context.rows)) - 1
    nulls = tuple(
        Null(row, place, 0, worth(full ^ 1 << place))
        for row, place in zip(
            draw_nulls(range(ROWS), context.indexes, seed), null_places(orders), strict=True
        )
    )
    found = Ablations(0, tuple((mask, worth(mask)) for mask in masks_of(orders)), nulls)
    lane = retrieval_lane(context.indexes, found, orders, len(asked.output_ids))
    return AttributeResult(METHOD, (lane,), (), (), found)


def output_ids(prompt: tuple[int, ...], seed: int, max_tokens: int) -> tuple[int, ...]:
    """Lower-case letters, as many as asked for, from a hash of the question."""
    digest = hashlib.shake_256(bytes(prompt) + seed.to_bytes(8, "big")).digest(max_tokens)
    return tuple(97 + byte % 26 for byte in digest)


def attribution(prompt: tuple[int, ...], output: tuple[int, ...], index: str) -> AttributeResult:
    """Gradient units by hash for every row, other ones by each index, and one span where the answer is long
    enough.
    """
    digest = sha256(bytes(prompt) + index.encode())
    gradient = LaneUnits(
        Lane.GRADIENT, tuple((row, 1 + digest[row]) for row in range(ROWS)), digest[ROWS], ran=True
    )
    spans = (Match(0, SPAN_TOKENS, digest[ROWS + 1] % ROWS, 0),) if len(output) >= SPAN_TOKENS else ()
    return AttributeResult(
        method_id=METHOD,
        lanes=(gradient, span_units(spans, len(output))),
        spans=spans,
        token_texts=tuple(chr(one) for one in output),
        influence=(scored(gradient),),
        query_codes=(CODE,),
    )


def health() -> WorkerHealth:
    return WorkerHealth("ok", BaseInfo(FINGERPRINT, TOKENIZER, "letters"), PROFILE, (), ())


routes = web.RouteTableDef()


@routes.get("/health")
async def get_health(_: web.Request) -> web.Response:
    return web.json_response(health().to_json())


@routes.post("/tokenize")
async def post_tokenize(request: web.Request) -> web.Response:
    asked = TokenizeRequest.from_json(await request.json())
    ids, _ = placed(asked.messages, asked.prompt, asked.context)
    return web.json_response(TokenizeResult(ids).to_json())


@routes.post("/generate")
async def post_generate(request: web.Request) -> web.StreamResponse:
    asked = GenerateRequest.from_json(await request.json())
    prompt, context = placed(asked.messages, asked.prompt, asked.context)
    output = output_ids(prompt, asked.sampling.seed, asked.max_tokens)
    response = web.StreamResponse(headers={"Content-Type": "text/event-stream"})
    await response.prepare(request)
    for index, token in enumerate(output):
        await response.write(_event("token", TokenEvent(index, token, chr(token)).to_json()))
    text = bytes(output).decode("ascii")
    result = GenerateResult(prompt, output, text, "length", PROFILE, context)
    await response.write(_event("done", result.to_json()))
    return response


@routes.post("/attribute")
async def post_attribute(request: web.Request) -> web.Response:
    asked = AttributeRequest.from_json(await request.json())
    found = attribution(asked.prompt_ids, asked.output_ids, asked.index_cid)
    lanes = tuple(lane for lane in found.lanes if lane.lane in asked.lanes)
    spans = found.spans if Lane.SPAN in asked.lanes else ()
    found = replace(found, lanes=lanes, spans=spans)
    if Lane.GRADIENT not in asked.lanes:
        found = replace(found, influence=(), query_codes=())
    if asked.context is not None:
        measured = retrieval(asked, asked.context)
        found = replace(found, lanes=(*lanes, *measured.lanes), ablations=measured.ablations)
    return web.json_response(found.to_json())


def _event(name: str, value: object) -> bytes:
    return f"event: {name}\ndata: {json.dumps(value)}\n\n".encode()


def build(token: str) -> web.Application:
    @web.middleware
    async def authenticated(request: web.Request, handler: Handler) -> web.StreamResponse:
        if request.headers.get("Authorization") != f"Bearer {token}":
            return web.json_response({"code": "unauthorised", "message": "no"}, status=401)
        return await handler(request)

    app = web.Application(middlewares=[authenticated])
    app.add_routes(routes)
    return app


async def listen(socket: Path, token: str) -> web.AppRunner:
    runner = web.AppRunner(build(token), access_log=None)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    return runner


async def serve(socket: Path, token: str) -> None:
    """Until the process is ended; one line says that it listens."""
    await listen(socket, token)
    sys.stdout.write("ready\n")
    sys.stdout.flush()
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2]))
