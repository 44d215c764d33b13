"""The OpenAI routes: /v1/models, /v1/chat/completions and /v1/completions, streamed or whole.

A handler reads and checks the body, lets the pipeline admit it, and passes the tokens on. Nothing is
charged before admission; after it, an automatic retry is allowed only under the client's own idempotency
key, where it replays.
"""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from typing import Literal

import structlog
from aiohttp import web

from node.api.display import validity_json
from node.api.formats import Envelope
from node.api.keys import IN_FLIGHT, LIMITS, MODELS, PIPELINE, TIMEOUTS, origin_of
from node.api.parameters import Parsed, parse_chat, parse_completion
from node.api.ports import ModelCard
from node.api.problems import Problem, body_of, problem_of
from node.api.sse import EventStream, ReaderGone
from node.errors import OpenLedgerError
from node.pipeline import Admission
from node.serving.live import Finished, Token
from node.serving.model import AUTO
from node.serving.worker_client import WorkerBusy

log = structlog.get_logger(component="api")
routes = web.RouteTableDef()


@routes.get("/v1/models")
async def list_models(request: web.Request) -> web.Response:
    """Every model that this node serves, and `auto` where there is a base that it can fall back on."""
    cards = await _served(request)
    data = [_model(card) for card in cards]
    return web.json_response({"object": "list", "data": [*data, *_auto(cards)]})


@routes.get("/v1/models/{name:.+}")
async def get_model(request: web.Request) -> web.Response:
    """One model by name, or by name@version."""
    name, cards = request.match_info["name"], await _served(request)
    for auto in _auto(cards) if name == AUTO else []:
        return web.json_response(auto)
    for card in cards:
        if is_called(card, name) and name != AUTO:
            return web.json_response(_with_validity(card))
    raise _no_such_model(name)


async def _served(request: web.Request) -> tuple[ModelCard, ...]:
    return await asyncio.to_thread(request.app[MODELS].served)


async def _require_served(request: web.Request, name: str) -> None:
    if name != AUTO and not any(is_called(card, name) for card in await _served(request)):
        raise _no_such_model(name)


def is_called(card: ModelCard, name: str) -> bool:
    """Whether a client may mean this model by `name`."""
    return name in (card.name, f"{card.name}@{card.model_version}")


def _no_such_model(name: str) -> Problem:
    return Problem(404, "model_not_found", f"no model is called {name[:128]!r}", "model")


def _model(card: ModelCard) -> dict[str, object]:
    return {
        "id": card.name,
        "object": "model",
        "created": card.created,
        "owned_by": card.owner,
        "parent": card.parent,
        "root": card.root,
        "openledger": {
            "datanet": card.datanet,
            "version": card.version,
            "in_rate": str(card.in_rate),
            "out_rate": str(card.out_rate),
            "fixed_price": str(card.fixed_price),
        },
    }


def _with_validity(card: ModelCard) -> dict[str, object]:
    told = None if card.validity is None else validity_json(card.validity)
    return {**_model(card), "validity": told}


def _auto(cards: Sequence[ModelCard]) -> list[dict[str, object]]:
    """The entry of `auto`: it has the base's owner and time, and each answer the price of its model."""
    bare = [card for card in cards if card.parent is None][:1]
    head = {"id": AUTO, "object": "model", "parent": None, "root": ""}
    return [{**head, "created": card.created, "owned_by": card.owner} for card in bare]


@routes.post("/v1/chat/completions")
async def chat_completions(request: web.Request) -> web.StreamResponse:
    """Messages in, one assistant message out."""
    body = await read_body(request)
    return await _serve(request, parse_chat(body, request.headers, request.app[LIMITS]), "chat")


@routes.post("/v1/completions")
async def completions(request: web.Request) -> web.StreamResponse:
    """Text in, its continuation out."""
    body = await read_body(request)
    return await _serve(request, parse_completion(body, request.headers, request.app[LIMITS]), "text")


async def read_body(request: web.Request) -> bytes:
    """The raw JSON body, within the size and time allowed. Raises Problem."""
    if request.headers.get("Content-Encoding", "identity").lower() != "identity":
        # A bomb is small until someone inflates it, so nobody does.
        raise Problem(415, "unsupported_encoding", "send the body uncompressed")
    if request.content_type != "application/json":
        raise Problem(
            415, "unsupported_media_type", f"the body must be application/json, not {request.content_type}"
        )
    try:
        async with asyncio.timeout(request.app[TIMEOUTS].body):
            return await request.read()
    except TimeoutError as error:
        raise Problem(
            408, "body_timeout", "the body did not arrive in time", headers={"Connection": "close"}
        ) from error


async def _serve(request: web.Request, parsed: Parsed, form: Literal["chat", "text"]) -> web.StreamResponse:
    asked = parsed.request
    client = asked.api_key or (
        asked.voucher.voucher.channel_id.hex() if asked.voucher else request.remote or ""
    )
    with request.app[IN_FLIGHT].entered(client):
        await _require_served(request, asked.model)
        admission = await request.app[PIPELINE].admit(asked)
        envelope = Envelope(
            form,
            admission.request_id,
            admission.model,
            admission.created,
            origin_of(request),
            asked.sampling.logprobs is not None,
            admission.chosen,
            admission.retrieved if asked.retrieve else None,
        )
        # The client's key makes a second try the same request; without one it would be a new one, billed
        # again.
        may_retry = asked.idempotency_key is not None
        if parsed.stream:
            return await _streamed(request, admission, envelope, parsed.include_usage, may_retry)
        return await _whole(request, admission, envelope, may_retry)


async def _whole(
    request: web.Request, admission: Admission, envelope: Envelope, may_retry: bool
) -> web.Response:
    said: list[Token] = []
    try:
        async with aclosing(_tokens(request, admission)) as tokens:
            async for token in tokens:
                if isinstance(token, Finished):
                    answer = envelope.whole(said, token)
                    return web.json_response(answer, headers=_headers(envelope, may_retry))
                said.append(token)
    except OpenLedgerError as error:
        raise _ended(error, envelope, may_retry) from error
    raise _after_admission(Problem(500, "internal_error", "the answer has no end"), envelope, may_retry)


async def _streamed(
    request: web.Request, admission: Admission, envelope: Envelope, include_usage: bool, may_retry: bool
) -> web.StreamResponse:
    async with aclosing(_tokens(request, admission)) as tokens:
        try:
            # Until there is something to say a failure is still a status, which clients know how to retry.
            first = await anext(tokens)
        except OpenLedgerError as error:
            raise _ended(error, envelope, may_retry) from error
        stream = await EventStream.open(request, request.app[TIMEOUTS].write, _headers(envelope, False))
        try:
            await _send(stream, envelope, first, tokens, include_usage)
            return await stream.close("[DONE]")
        except ReaderGone as gone:
            log.info("reader_gone", request_id=envelope.request_id.hex(), reason=str(gone))
            return stream.response
        except OpenLedgerError as error:
            # The status line has gone out, so the error travels as an event, and without [DONE].
            log.warning("stream_failed", request_id=envelope.request_id.hex(), error=str(error))
            return await _failed(stream, problem_of(error))


async def _send(
    stream: EventStream,
    envelope: Envelope,
    first: Token | Finished,
    rest: AsyncGenerator[Token | Finished],
    include_usage: bool,
) -> None:
    if (opening := envelope.opening()) is not None:
        await stream.send(opening)
    token, offset = first, 0
    while not isinstance(token, Finished):
        if (piece := envelope.piece(token, offset)) is not None:
            await stream.send(piece)
        offset += len(token.text)
        token = await anext(rest)
    await _end(stream, envelope, token, include_usage)


async def _end(stream: EventStream, envelope: Envelope, finished: Finished, include_usage: bool) -> None:
    await stream.send(envelope.last(finished))
    if include_usage:
        await stream.send(envelope.usage_chunk(finished))


async def _failed(stream: EventStream, problem: Problem) -> web.StreamResponse:
    try:
        await stream.send(body_of(problem))
        return await stream.close()
    except ReaderGone:
        return stream.response


async def _tokens(request: web.Request, admission: Admission) -> AsyncGenerator[Token | Finished]:
    async for token in request.app[PIPELINE].stream(admission):
        yield token


def _headers(envelope: Envelope, may_retry: bool) -> dict[str, str]:
    return {
        "x-request-id": "0x" + envelope.request_id.hex(),
        "x-should-retry": "true" if may_retry else "false",
    }


def _ended(error: OpenLedgerError, envelope: Envelope, may_retry: bool) -> Problem:
    # Who was refused before anything ran was charged nothing: a second try cannot bill a second time.
    return _after_admission(problem_of(error), envelope, may_retry or isinstance(error, WorkerBusy))


def _after_admission(problem: Problem, envelope: Envelope, may_retry: bool) -> Problem:
    headers = {"x-request-id": "0x" + envelope.request_id.hex()}
    retry = may_retry and problem.status >= 500
    return Problem(
        problem.status, problem.code, problem.message, problem.param, retry, problem.retry_after, headers
    )
