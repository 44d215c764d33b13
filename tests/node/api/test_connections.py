"""A client that drips its head, or opens every socket it can, is closed; a long answer is not."""

import asyncio
import contextlib
from collections.abc import AsyncIterator

import aiohttp
import pytest_asyncio

from node.api.app import Parts, build_app, listen
from node.metrics import Registry
from tests.node.api.conftest import KEY, MODEL, NETWORK, SETTINGS, ScriptedPipeline, Shelf, Surroundings

HEAD_SECONDS = 0.3
MOST = 5
HEAD = b"GET /livez HTTP/1.1\r\nHost: 127.0.0.1\r\n"


@pytest_asyncio.fixture
async def strict() -> AsyncIterator[tuple[int, ScriptedPipeline]]:
    """A listener with short deadlines."""
    pipeline, around = ScriptedPipeline(), Surroundings()
    parts = Parts(pipeline, around, Shelf(), around, around, NETWORK, Registry())
    runner, port = await listen(build_app(parts, SETTINGS), "127.0.0.1", 0, HEAD_SECONDS, MOST)
    yield port, pipeline
    await runner.cleanup()


async def drip(writer: asyncio.StreamWriter) -> None:
    """One byte of a header at a time, for ever."""
    with contextlib.suppress(ConnectionError):
        while True:
            writer.write(b"x")
            await writer.drain()
            await asyncio.sleep(0.02)


async def closed_after(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> float:
    """Seconds until the server closes on a client that drips."""
    begun = asyncio.get_running_loop().time()
    dripping = asyncio.create_task(drip(writer))
    with contextlib.suppress(ConnectionError):
        await asyncio.wait_for(reader.read(), 5)
    dripping.cancel()
    writer.close()
    return asyncio.get_running_loop().time() - begun


async def test_a_head_that_drips_is_cut_off(strict: tuple[int, ScriptedPipeline]) -> None:
    """SPEC 4.76"""
    reader, writer = await asyncio.open_connection("127.0.0.1", strict[0])
    writer.write(HEAD)
    assert HEAD_SECONDS * 0.5 < await closed_after(reader, writer) < 3


async def test_a_second_head_that_drips_is_cut_off_too(strict: tuple[int, ScriptedPipeline]) -> None:
    """SPEC 4.76"""
    reader, writer = await asyncio.open_connection("127.0.0.1", strict[0])
    writer.write(HEAD + b"\r\n")
    assert b" 200 " in await reader.readline()
    await reader.readuntil(b"}")
    await asyncio.sleep(2 * HEAD_SECONDS)
    writer.write(HEAD)
    assert await closed_after(reader, writer) < 3


async def test_an_answer_may_take_longer_than_a_head(strict: tuple[int, ScriptedPipeline]) -> None:
    """SPEC 4.76"""
    port, pipeline = strict
    pipeline.pause = asyncio.Event()
    asyncio.get_running_loop().call_later(3 * HEAD_SECONDS, pipeline.pause.set)
    body, headers = {"model": MODEL, "prompt": "a b"}, {"Authorization": f"Bearer {KEY}"}
    async with (
        aiohttp.ClientSession() as client,
        client.post(f"http://127.0.0.1:{port}/v1/completions", json=body, headers=headers) as response,
    ):
        assert response.status == 200


async def test_one_address_cannot_hold_every_socket(strict: tuple[int, ScriptedPipeline]) -> None:
    """SPEC 4.76"""
    held = [await asyncio.open_connection("127.0.0.1", strict[0]) for _ in range(MOST)]
    reader, writer = await asyncio.open_connection("127.0.0.1", strict[0])
    writer.write(HEAD + b"\r\n")
    with contextlib.suppress(ConnectionError):
        assert await asyncio.wait_for(reader.read(), 5) == b""
    for _, other in (*held, (reader, writer)):
        other.close()
    # The silent ones are closed by their deadline at the latest; then there is room again.
    async with asyncio.timeout(5):
        while True:
            reader, writer = await asyncio.open_connection("127.0.0.1", strict[0])
            writer.write(HEAD + b"\r\n")
            try:
                if b" 200 " in await reader.readline():
                    break
            except ConnectionError:
                continue
            finally:
                writer.close()
