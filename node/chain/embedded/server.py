"""The JSON-RPC server: HTTP and WebSocket on one port. Bad input gets an error object."""

import asyncio
import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import structlog
from aiohttp import WSMsgType, web

from node.chain.embedded.chain import MinedBlock
from node.chain.embedded.errors import (
    INTERNAL_ERROR,
    INVALID_REQUEST,
    LIMIT_EXCEEDED,
    PARSE_ERROR,
    SERVER_ERROR,
    RpcError,
)
from node.chain.embedded.fees import FEES
from node.chain.embedded.filters import FilterTable
from node.chain.embedded.guard import Guard
from node.chain.embedded.producer import BlockProducer
from node.chain.embedded.reading import READING
from node.chain.embedded.subscriptions import Subscriptions
from node.chain.embedded.writing import WRITING
from node.errors import NotFound
from protocol.canonical import parse_json

log = structlog.get_logger(component="chain")

MAX_BODY_BYTES = 4 << 20
MAX_JSON_DEPTH = 32
MAX_BATCH = 100
MAX_WAITING = 1000
MAX_QUEUED_NOTICES = 10_000
HEARTBEAT_SECONDS = 30.0

Json = Any


def encode(answer: Json) -> str:
    """Compact JSON."""
    return json.dumps(answer, separators=(",", ":"))


def parse(body: bytes | str) -> Json:
    """The request, or error -32700 for what is not JSON, or nests or counts beyond reason.

    The depth is checked before the parser sees it: py-evm raises Python's recursion limit so far that the
    standard parser would overrun the stack.
    """
    try:
        return parse_json(body.encode() if isinstance(body, str) else body, MAX_BODY_BYTES, MAX_JSON_DEPTH)
    except ValueError as error:
        raise RpcError(PARSE_ERROR, "parse error") from error


def error_answer(identity: Json, error: RpcError) -> Json:
    """An error response."""
    return {"jsonrpc": "2.0", "id": identity, "error": error.to_json()}


class RpcServer:
    """Answers requests on one producer. The EVM runs in one thread; the event loop stays free."""

    def __init__(self, producer: BlockProducer, guard: Guard) -> None:
        self._producer = producer
        self._guard = guard
        self._registry = READING.merged(FEES, WRITING, FilterTable().registry())
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="evm")
        self._waiting = 0
        self._connections: set[Subscriptions] = set()
        self._loop: asyncio.AbstractEventLoop | None = None
        producer.listeners.append(self._announce)

    def application(self) -> web.Application:
        """The aiohttp application: every path is the endpoint, as with other nodes."""
        app = web.Application(client_max_size=MAX_BODY_BYTES)
        app.router.add_route("*", "/{path:.*}", self._handle)
        app.on_startup.append(self._remember_loop)
        app.on_cleanup.append(self._close)
        return app

    async def _remember_loop(self, _: web.Application) -> None:
        self._loop = asyncio.get_running_loop()

    async def _close(self, _: web.Application) -> None:
        self._thread.shutdown(wait=True)

    async def in_thread(self, function: Callable[..., Any], *args: Any) -> Any:
        """Runs on the EVM's thread, after what is already queued there; refuses when too much is."""
        if self._waiting >= MAX_WAITING:
            raise RpcError(LIMIT_EXCEEDED, "too many requests are waiting")
        self._waiting += 1
        try:
            return await asyncio.get_running_loop().run_in_executor(self._thread, function, *args)
        finally:
            self._waiting -= 1

    # One request

    async def answer(self, body: bytes | str, subscriptions: Subscriptions | None = None) -> Json:
        """The response to a body, single or batch; None when nothing is to be sent (notifications only)."""
        try:
            parsed = parse(body)
            if not isinstance(parsed, list):
                return await self._answer_one(parsed, subscriptions)
            if not 1 <= len(parsed) <= MAX_BATCH:
                raise RpcError(INVALID_REQUEST, f"a batch holds 1 to {MAX_BATCH} requests")
        except RpcError as error:
            return error_answer(None, error)
        answers = [await self._answer_one(request, subscriptions) for request in parsed]
        return [answer for answer in answers if answer is not None] or None

    async def _answer_one(self, request: Json, subscriptions: Subscriptions | None) -> Json:
        identity = request.get("id") if isinstance(request, dict) else None
        if isinstance(identity, dict | list | bool):
            identity = None
        try:
            result = await self._result(request, subscriptions)
        except RpcError as error:
            return error_answer(identity, error)
        except NotFound as error:
            return error_answer(identity, RpcError(SERVER_ERROR, error.message))
        except Exception as error:
            # A bug of ours or of the EVM must cost one answer, not the chain.
            log.exception("request_failed", method=str(request.get("method"))[:100])
            return error_answer(identity, RpcError(INTERNAL_ERROR, f"internal error: {type(error).__name__}"))
        if "id" not in request:
            return None
        return {"jsonrpc": "2.0", "id": identity, "result": result}

    async def _result(self, request: Json, subscriptions: Subscriptions | None) -> Any:
        if not isinstance(request, dict) or not isinstance(request.get("method"), str):
            raise RpcError(INVALID_REQUEST, "invalid request")
        method, params = request["method"], request.get("params")
        if subscriptions is not None and method == "eth_subscribe":
            return subscriptions.subscribe(params)
        if subscriptions is not None and method == "eth_unsubscribe":
            return subscriptions.unsubscribe(params)
        return await self.in_thread(self._registry.call, self._producer, method, params)

    # HTTP and WebSocket

    async def _handle(self, request: web.Request) -> web.StreamResponse:
        origin = request.headers.get("Origin")
        refusal = self._guard.refusal(request.headers.get("Host"), origin)
        if refusal is not None:
            return web.Response(status=403, text=refusal)
        if request.headers.get("Upgrade", "").lower() == "websocket":
            return await self._websocket(request)
        headers = self._guard.cors_headers(origin)
        if request.method == "OPTIONS":
            return web.Response(status=204, headers=headers)
        if request.method != "POST":
            return web.Response(
                status=405, text="POST JSON-RPC here", headers={**headers, "Allow": "POST, OPTIONS"}
            )
        if request.content_type != "application/json":
            return web.Response(status=415, text="content type must be application/json", headers=headers)
        answer = await self.answer(await request.read())
        if answer is None:
            return web.Response(status=204, headers=headers)
        return web.Response(text=encode(answer), content_type="application/json", headers=headers)

    async def _websocket(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(max_msg_size=MAX_BODY_BYTES, heartbeat=HEARTBEAT_SECONDS)
        await socket.prepare(request)
        notices: asyncio.Queue[str] = asyncio.Queue(MAX_QUEUED_NOTICES)
        subscriptions = Subscriptions(lambda notice: _offer(notices, notice))
        sender = asyncio.create_task(_send_all(notices, socket))
        self._connections.add(subscriptions)
        try:
            async for message in socket:
                if message.type is WSMsgType.TEXT:
                    answer = await self.answer(message.data, subscriptions)
                    if answer is not None:
                        await socket.send_str(encode(answer))
        finally:
            self._connections.discard(subscriptions)
            sender.cancel()
        return socket

    def _announce(self, mined: MinedBlock) -> None:
        if self._connections and self._loop is not None:
            self._loop.call_soon_threadsafe(self._announce_all, mined)

    def _announce_all(self, mined: MinedBlock) -> None:
        for subscriptions in self._connections:
            subscriptions.announce(mined)


def _offer(notices: asyncio.Queue[str], notice: str) -> None:
    # A client that does not read loses notices, not the server its memory.
    if not notices.full():
        notices.put_nowait(notice)


async def _send_all(notices: asyncio.Queue[str], socket: web.WebSocketResponse) -> None:
    while not socket.closed:
        notice = await notices.get()
        try:
            await socket.send_str(notice)
        except (ConnectionError, RuntimeError):
            return


async def produce_blocks(server: RpcServer, mine: Callable[[], Any], seconds: float) -> None:
    """Makes a block every `seconds` until cancelled."""
    while True:
        await asyncio.sleep(seconds)
        await server.in_thread(mine)
