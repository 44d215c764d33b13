"""One inference worker over its Unix socket: typed messages out, typed messages back, every failure an
error of ours.

Nothing that a worker sends is believed before `protocol.wire` has read it, and no reply is read without a
bound.
"""

from __future__ import annotations

import re
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, TypeVar

import aiohttp

from node.errors import (
    Busy,
    Conflict,
    IntegrityError,
    InvalidInput,
    NotFound,
    OpenLedgerError,
    StaleFence,
    WorkerUnreachable,
)
from node.serving.order import Order
from node.serving.sse import EventParser
from protocol.canonical import parse_json
from protocol.errors import ProtocolError
from protocol.fields import Fields
from protocol.wire import (
    AttributeRequest,
    AttributeResult,
    ErrorEvent,
    GenerateRequest,
    GenerateResult,
    JobSpec,
    JobStatus,
    RowsRequest,
    RowsResult,
    TokenEvent,
    TokenizeRequest,
    TokenizeResult,
    WorkerHealth,
)

T = TypeVar("T")

MAX_REPLY_BYTES = 16 * 1024 * 1024
CONNECT_SECONDS = 5.0
# A worker loads an adapter or runs a long prefill before its first byte; silence beyond this is a hang.
SILENCE_SECONDS = 300.0
# The one 409 that speaks of no fencing token: a lease or a pin holds the adapter.
HELD = "adapter_held"
WHOLE_SECONDS = re.compile(r"[0-9]{1,4}")
DEFAULT_RETRY_SECONDS = 1


class WorkerRefused(InvalidInput):
    """The worker understood the request and will not do it."""


class WorkerBusy(Busy):
    """The worker has no room, or the adapter is still on its way. Nothing has run, and nothing is charged;
    `retry_after` is in seconds.
    """


class WorkerFailed(IntegrityError):
    """The worker broke off, or its reply is not what the protocol says."""


class WorkerClient:
    """Speaks the worker's HTTP API. Use as an async context manager, or call `start` and `close`."""

    def __init__(self, socket: Path, token_file: Path) -> None:
        self._socket = socket
        self._token_file = token_file
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        if self._session is None:
            self._session = aiohttp.ClientSession(
                "http://worker",
                connector=aiohttp.UnixConnector(path=str(self._socket), limit=0),
                timeout=aiohttp.ClientTimeout(
                    total=None, sock_connect=CONNECT_SECONDS, sock_read=SILENCE_SECONDS
                ),
            )

    async def close(self) -> None:
        session, self._session = self._session, None
        if session is not None:
            await session.close()

    async def __aenter__(self) -> WorkerClient:
        await self.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def health(self) -> WorkerHealth:
        """What the worker is and holds."""
        return await self.ask(WorkerHealth.from_json, "GET", "/health")

    async def tokenize(self, order: Order) -> tuple[int, ...]:
        """Token ids of the order's prompt, rendered by the base's chat template where it has messages."""
        request = TokenizeRequest(order.messages, order.prompt, order.context)
        reply = await self.ask(TokenizeResult.from_json, "POST", "/tokenize", request.to_json())
        return reply.ids

    async def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenEvent | GenerateResult, None]:
        """Token events, then exactly one result."""
        parser = EventParser()
        async with self._reply("POST", "/generate", request.to_json()) as reply:
            async for chunk in reply.content.iter_any():
                for name, data in parser.feed(chunk):
                    event = _event(name, data)
                    yield event
                    if isinstance(event, GenerateResult):
                        return
        raise WorkerUnreachable("the worker ended the answer before it was done")

    async def attribute(self, request: AttributeRequest) -> AttributeResult:
        return await self.ask(AttributeResult.from_json, "POST", "/attribute", request.to_json())

    async def recheck(self, request: RowsRequest) -> RowsResult:
        """The signs of an index's rows, computed anew."""
        return await self.ask(RowsResult.from_json, "POST", "/recheck", request.to_json())

    async def submit_job(self, spec: JobSpec) -> str:
        """Start a training or evaluation; return its id. The same spec again starts nothing new."""
        return await self.ask(_job_id, "POST", "/jobs", spec.to_json())

    async def job(self, job_id: str) -> JobStatus:
        return await self.ask(JobStatus.from_json, "GET", f"/jobs/{job_id}")

    async def text(self, path: str) -> str:
        """One reply that is plain text."""
        async with self._reply("GET", path) as reply:
            return (await _read(reply)).decode("utf-8", "replace")

    async def cancel_job(self, job_id: str) -> None:
        """Ask for the end of a job; one that has ended stays as it is."""
        async with self._reply("DELETE", f"/jobs/{job_id}") as reply:
            await _read(reply)

    async def ask(
        self, read: Callable[[object], T], method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> T:
        """One JSON reply, as `read` takes it. Raises errors of ours only."""
        async with self._reply(method, path, body) as reply:
            return read(_parse(await _read(reply)))

    @asynccontextmanager
    async def _reply(
        self, method: str, path: str, body: Mapping[str, Any] | None = None
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The reply to one request; whatever goes wrong, inside the block too, is an error of ours."""
        await self.start()
        assert self._session is not None
        try:
            headers = {"Authorization": f"Bearer {self._token_file.read_text(encoding='ascii').strip()}"}
            async with self._session.request(method, path, json=body, headers=headers) as reply:
                if reply.status >= 400:
                    raise _refusal(reply.status, await _read(reply), reply.headers.get("Retry-After", ""))
                yield reply
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise WorkerUnreachable(f"the worker does not answer: {error!r}", path=path) from error
        except ProtocolError as error:
            raise WorkerFailed(f"the worker's reply is malformed: {error}", path=path) from error


async def _read(reply: aiohttp.ClientResponse) -> bytes:
    chunks, size = [], 0
    async for chunk in reply.content.iter_any():
        size += len(chunk)
        if size > MAX_REPLY_BYTES:
            raise WorkerFailed("the worker's reply is too large", limit=MAX_REPLY_BYTES)
        chunks.append(chunk)
    return b"".join(chunks)


def _parse(data: bytes) -> object:
    return parse_json(data, max_bytes=MAX_REPLY_BYTES)


def _job_id(value: object) -> str:
    fields = Fields(value, "job")
    return fields.text("job_id", 128)


def _event(name: str, data: str) -> TokenEvent | GenerateResult:
    value = _parse(data.encode("utf-8"))
    if name == "token":
        return TokenEvent.from_json(value)
    if name == "done":
        return GenerateResult.from_json(value)
    if name == "error":
        failure = ErrorEvent.from_json(value)
        raise _worker_error(failure.code, failure.message)
    raise WorkerFailed("the worker sent an unknown event", event=name)


def _refusal(status: int, body: bytes, retry_after: str) -> OpenLedgerError:
    try:
        value = _parse(body)
    except ProtocolError:
        value = None
    detail = value.get("error", value) if isinstance(value, dict) else None
    code = str(detail.get("code", status)) if isinstance(detail, dict) else str(status)
    message = str(detail.get("message", "")) if isinstance(detail, dict) else ""
    if status == 404:
        return NotFound(message or "the worker knows no such thing", code=code)
    if status == 409 and code == HELD:
        return Conflict(message or "something holds it", code=code)
    if status == 409:
        return StaleFence(message or "the worker holds a newer assignment", code=code)
    if status in (429, 503):
        wait = int(retry_after) if WHOLE_SECONDS.fullmatch(retry_after) else DEFAULT_RETRY_SECONDS
        return WorkerBusy(message or "the worker is busy", code=code, status=503, retry_after=wait)
    if status < 500:
        return WorkerRefused(message or "the worker refused", code=code, status=status)
    return WorkerFailed(message or "the worker failed", code=code, status=status)


def _worker_error(code: str, message: str) -> OpenLedgerError:
    if code in ("busy", "overloaded", "out_of_memory"):
        return Busy(message, code=code)
    return WorkerRefused(message, code=code)
