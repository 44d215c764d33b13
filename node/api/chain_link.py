"""The chain's JSON-RPC by HTTP, without blocking: what the page's /rpc passes on to."""

import itertools
from collections.abc import Mapping

import aiohttp

from node.errors import ChainUnreachable
from protocol.canonical import parse_json

TIMEOUT_SECONDS = 15.0
MAX_ANSWER_BYTES = 8 << 20


class ChainLink:
    """Satisfies `ports.Chain`. One session, closed by `close`."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._session: aiohttp.ClientSession | None = None
        self._ids = itertools.count(1)

    async def call(self, method: str, parameters: list[object]) -> Mapping[str, object]:
        """`{"result": …}` or `{"error": …}` as the chain gave it. Raises ChainUnreachable."""
        if self._session is None:
            self._session = aiohttp.ClientSession(timeout=aiohttp.ClientTimeout(total=TIMEOUT_SECONDS))
        body = {"jsonrpc": "2.0", "id": next(self._ids), "method": method, "params": parameters}
        try:
            async with self._session.post(self._url, json=body, allow_redirects=False) as response:
                answer = parse_json(await response.content.read(MAX_ANSWER_BYTES), MAX_ANSWER_BYTES)
        except (TimeoutError, aiohttp.ClientError, ValueError) as error:
            raise ChainUnreachable("the chain does not answer", method=method) from error
        if isinstance(answer, dict) and "error" in answer:
            return {"error": answer["error"]}
        if isinstance(answer, dict) and "result" in answer:
            return {"result": answer["result"]}
        raise ChainUnreachable("the chain's answer is no JSON-RPC", method=method)

    async def close(self) -> None:
        """Closes the connections."""
        if self._session is not None:
            await self._session.close()
