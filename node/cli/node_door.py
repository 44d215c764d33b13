"""The running node as its operator's commands ask it: over the private socket, with the worker's token."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Self

import aiohttp

from node.config import Config
from node.errors import InvalidInput, NotFound, Unavailable

TIMEOUT_SECONDS = 60.0
MAX_BYTES = 4 << 20


@dataclass(frozen=True)
class NodeDoor:
    """The socket file and the token that opens it."""

    socket: Path
    token: str

    @classmethod
    def of(cls, config: Config) -> Self:
        """As configured. Raises Unavailable where no node listens."""
        socket, token_file = config.path(config.worker.internal_socket), config.path(config.worker.token_file)
        if not socket.is_socket() or not token_file.is_file():
            raise Unavailable("no node runs here; start it with `openledger run`", socket=str(socket))
        return cls(socket.absolute(), token_file.read_text(encoding="ascii").strip())

    async def get(self, path: str) -> dict[str, Any]:
        """The reply's JSON object. Raises NotFound, InvalidInput or Unavailable."""
        return await self._ask("GET", path, None)

    async def post(self, path: str, body: dict[str, Any]) -> dict[str, Any]:
        """The same, after sending one."""
        return await self._ask("POST", path, body)

    async def _ask(self, method: str, path: str, body: dict[str, Any] | None) -> dict[str, Any]:
        timeout = aiohttp.ClientTimeout(total=TIMEOUT_SECONDS)
        headers = {"Authorization": f"Bearer {self.token}"}
        connector = aiohttp.UnixConnector(str(self.socket))
        try:
            async with (
                aiohttp.ClientSession("http://node", connector=connector, timeout=timeout) as session,
                session.request(method, path, json=body, headers=headers) as reply,
            ):
                read = json.loads(await reply.content.read(MAX_BYTES))
        except (aiohttp.ClientError, OSError, TimeoutError, ValueError) as error:
            raise Unavailable(f"the node does not answer: {error}", socket=str(self.socket)) from error
        if reply.status < 400:
            return dict(read)
        kinds = {404: NotFound, 400: InvalidInput}
        raise kinds.get(reply.status, Unavailable)(str(read["error"]["message"]), path=path)
