"""Server-sent events to one client: a slow or vanished reader ends its own stream and nobody else's."""

import asyncio
import json

from aiohttp import web

HEADERS = {
    "Content-Type": "text/event-stream; charset=utf-8",
    "Cache-Control": "no-store",
    # A buffering reverse proxy would turn the stream into one block.
    "X-Accel-Buffering": "no",
}


class ReaderGone(Exception):
    """The client closed the connection, or did not read within the time allowed."""


class EventStream:
    """One open response. `send` returns once the bytes are handed to the socket's bounded buffer."""

    def __init__(self, response: web.StreamResponse, write_timeout: float) -> None:
        self._response = response
        self._write_timeout = write_timeout

    @classmethod
    async def open(cls, request: web.Request, write_timeout: float, headers: dict[str, str]) -> "EventStream":
        """Sends the status line and headers."""
        response = web.StreamResponse(headers={**HEADERS, **headers})
        await response.prepare(request)
        return cls(response, write_timeout)

    async def send(self, document: object) -> None:
        """One `data:` event of JSON. Raises ReaderGone."""
        await self._write(json.dumps(document, ensure_ascii=False, separators=(",", ":")))

    async def close(self, last: str | None = None) -> web.StreamResponse:
        """Ends the stream, after a literal last event if one is given."""
        if last is not None:
            await self._write(last)
        await self._response.write_eof()
        return self._response

    @property
    def response(self) -> web.StreamResponse:
        """What the handler returns to aiohttp."""
        return self._response

    async def _write(self, data: str) -> None:
        try:
            async with asyncio.timeout(self._write_timeout):
                await self._response.write(f"data: {data}\n\n".encode())
        except (ConnectionError, TimeoutError) as error:
            raise ReaderGone(str(error) or type(error).__name__) from error
