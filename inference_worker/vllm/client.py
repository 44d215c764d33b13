"""Speaks to a vLLM server over its Unix socket: is it up, take or drop an adapter, answer a prompt."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from types import TracebackType

import aiohttp

from inference_worker.errors import BackendUnavailable, WorkerError
from inference_worker.vllm.reply import MAX_LINE_BYTES, Chosen, read_line

_ORIGIN = "http://vllm"
_HEALTH_SECONDS = 10.0
_MAX_REASON_CHARS = 400


class VllmRefused(WorkerError):
    """vLLM refused what passed our own checks."""

    code = "vllm_refused"

    def __init__(self, path: str, status: int, reason: str) -> None:
        super().__init__(f"vLLM answers {status} to {path}: {reason[:_MAX_REASON_CHARS]}")
        self.path, self.status, self.reason = path, status, reason


class VllmClient:
    """One session; to be entered, and used, in one event loop."""

    def __init__(self, socket: Path, key: str) -> None:
        self._socket, self._key = socket, key
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> VllmClient:
        self._session = aiohttp.ClientSession(
            _ORIGIN,
            connector=aiohttp.UnixConnector(str(self._socket), limit=0),
            headers={"Authorization": f"Bearer {self._key}"},
            timeout=aiohttp.ClientTimeout(total=None),
            read_bufsize=MAX_LINE_BYTES,
        )
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._session is not None
        await self._session.close()

    async def is_up(self) -> bool:
        """Whether the server takes requests."""
        assert self._session is not None
        try:
            async with asyncio.timeout(_HEALTH_SECONDS), self._session.get("/health") as reply:
                return reply.status == 200
        except (aiohttp.ClientError, OSError):
            return False

    async def register(self, name: str, folder: Path) -> None:
        """Load the adapter in `folder` under a name that is not taken."""
        async with self._posted("/v1/load_lora_adapter", {"lora_name": name, "lora_path": str(folder)}):
            pass

    async def drop(self, name: str) -> None:
        """Forget a registered adapter."""
        async with self._posted("/v1/unload_lora_adapter", {"lora_name": name}):
            pass

    async def answer(self, body: Mapping[str, object], count: int) -> AsyncIterator[Chosen]:
        """The tokens of a completion as they come, each with its `count` likeliest.

        Closing the iterator closes the connection, which ends the request. Raises ReplyNotFinite,
        ReplyMalformed, VllmRefused and BackendUnavailable.
        """
        async with self._posted("/v1/completions", body) as reply:
            async for line in reply.content:
                for chosen in read_line(line, count):
                    yield chosen

    @asynccontextmanager
    async def _posted(self, path: str, body: Mapping[str, object]) -> AsyncIterator[aiohttp.ClientResponse]:
        assert self._session is not None
        try:
            async with self._session.post(path, json=body) as reply:
                if reply.status != 200:
                    raise VllmRefused(path, reply.status, await reply.text())
                yield reply
        except (aiohttp.ClientError, OSError) as error:
            raise BackendUnavailable(f"{type(error).__name__}: {error}") from error
