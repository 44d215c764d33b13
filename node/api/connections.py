"""Guards each connection before there is a request: a deadline for heads, and a cap for each client address.

aiohttp times bodies and idle connections, but waits without end for a head that comes byte by byte. A
request's body and answer have deadlines of their own, so that the guard rests while one is open.
"""

import asyncio
from collections import Counter
from typing import cast

from aiohttp import web


class GuardedConnection(asyncio.Protocol):
    """Stands between the transport and aiohttp's handler, and passes everything on."""

    def __init__(
        self, handler: asyncio.Protocol, head_seconds: float, open_by_address: Counter[str], most: int
    ) -> None:
        self._handler = handler
        self._head_seconds = head_seconds
        self._open_by_address = open_by_address
        self._most = most
        self._address = ""
        self._busy = False
        self._timer: asyncio.TimerHandle | None = None
        self._transport: asyncio.Transport | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Counts the client in, or turns it away."""
        self._transport = cast(asyncio.Transport, transport)
        peer = transport.get_extra_info("peername")
        self._address = str(peer[0]) if peer else ""
        self._open_by_address[self._address] += 1
        self._handler.connection_made(transport)
        if self._open_by_address[self._address] > self._most:
            self._transport.abort()
            return
        self._watch()

    def data_received(self, data: bytes) -> None:
        """The first byte of a head starts its time."""
        if not self._busy and self._timer is None:
            self._watch()
        self._handler.data_received(data)

    def request_begun(self) -> None:
        """A whole head has arrived."""
        self._busy = True
        self._rest()

    def request_ended(self) -> None:
        """The next head may come whenever it likes to begin; aiohttp closes idle connections."""
        self._busy = False

    def eof_received(self) -> bool | None:
        """Passed on."""
        return self._handler.eof_received()

    def pause_writing(self) -> None:
        """Passed on."""
        self._handler.pause_writing()

    def resume_writing(self) -> None:
        """Passed on."""
        self._handler.resume_writing()

    def connection_lost(self, exc: Exception | None) -> None:
        """Counts the client out."""
        self._rest()
        self._open_by_address[self._address] -= 1
        if not self._open_by_address[self._address]:
            del self._open_by_address[self._address]
        self._handler.connection_lost(exc)

    def _watch(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(self._head_seconds, self._too_slow)

    def _rest(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _too_slow(self) -> None:
        if self._transport is not None:
            self._transport.abort()


class GuardedSite(web.BaseSite):
    """A TCP listener whose connections are guarded."""

    def __init__(
        self, runner: web.AppRunner, host: str, port: int, head_seconds: float, most_by_address: int
    ) -> None:
        super().__init__(runner)
        self._host = host
        self._port = port
        self._head_seconds = head_seconds
        self._most = most_by_address
        self._open: Counter[str] = Counter()

    @property
    def name(self) -> str:
        """For logs."""
        return f"http://{self._host}:{self._port}"

    async def start(self) -> None:
        """Listens."""
        await super().start()
        make = self._runner.server
        assert make is not None
        self._server = await asyncio.get_running_loop().create_server(
            lambda: GuardedConnection(make(), self._head_seconds, self._open, self._most),
            self._host,
            self._port,
        )


def guard_of(request: web.Request) -> GuardedConnection | None:
    """The guard of a request's connection; none where it came another way or is gone."""
    protocol = request.transport.get_protocol() if request.transport is not None else None
    return protocol if isinstance(protocol, GuardedConnection) else None
