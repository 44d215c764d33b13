"""The worker over its socket: what is right is read, what is wrong becomes an error of the node's own."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
from aiohttp import web

from node.api.problems import problem_of
from node.errors import Busy, NotFound, OpenLedgerError, StaleFence, WorkerUnreachable
from node.serving import worker_client
from node.serving.order import Order
from node.serving.worker_client import WorkerBusy, WorkerClient, WorkerFailed, WorkerRefused
from protocol.attribution import Lane
from protocol.cid import cid_of_raw
from protocol.sampling import Sampling
from protocol.wire import AttributeRequest, GenerateRequest, GenerateResult, TokenEvent
from tests.integration import worker_server

ORDER = Order(None, "hi", 3, Sampling(0.0, seed=5))
REQUEST = GenerateRequest("0x01", 1, None, None, "hi", None, 3, Sampling(0.0, seed=5))
Answer = Callable[[web.Request], Awaitable[web.StreamResponse]]


@pytest.fixture
def token_file(tmp_path: Path) -> Path:
    path = tmp_path / "token"
    path.write_text("a token\n")
    return path


@asynccontextmanager
async def answering(socket: Path, token_file: Path, answer: Answer) -> AsyncIterator[WorkerClient]:
    app = web.Application()
    app.router.add_route("*", "/{path:.*}", answer)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(socket)).start()
    async with WorkerClient(socket, token_file) as client:
        yield client
    await runner.cleanup()


async def test_a_real_exchange(tmp_path: Path, token_file: Path) -> None:
    """SPEC 4.35: health, token count, answer and attribution through the same messages on both sides."""
    runner = await worker_server.listen(tmp_path / "w.sock", "a token")
    async with WorkerClient(tmp_path / "w.sock", token_file) as client:
        assert await client.health() == worker_server.health()
        assert await client.tokenize(ORDER) == tuple(b"hi")
        events = [event async for event in client.generate(REQUEST)]
        output = worker_server.output_ids(tuple(b"hi"), 5, 3)
        assert [event.id for event in events if isinstance(event, TokenEvent)] == list(output)
        assert isinstance(events[-1], GenerateResult)
        assert events[-1].output_ids == output
        cid = cid_of_raw(b"x").text
        asked = AttributeRequest("0x01", 1, cid, cid, cid, (1,), output, 3, (Lane.GRADIENT, Lane.SPAN))
        assert await client.attribute(asked) == worker_server.attribution((1,), output, asked.index_cid)
    await runner.cleanup()


@pytest.mark.parametrize(
    ("status", "kind"),
    [(400, WorkerRefused), (401, WorkerRefused), (404, NotFound), (409, StaleFence), (429, Busy), (503, Busy),
     (500, WorkerFailed)],
)  # fmt: skip
async def test_a_refusal_keeps_its_kind_and_its_words(
    tmp_path: Path, token_file: Path, status: int, kind: type[OpenLedgerError]
) -> None:
    """SPEC 4.35"""

    async def refuse(_: web.Request) -> web.Response:
        return web.json_response({"code": "why", "message": "because"}, status=status)

    async with answering(tmp_path / "w.sock", token_file, refuse) as client:
        with pytest.raises(kind, match="because"):
            await client.health()


@pytest.mark.parametrize(
    ("sent", "understood"), [("7", 7), ("0", 0), (None, 1), ("soon", 1), ("-3", 1), ("9" * 400, 1)]
)
async def test_a_busy_worker_says_when_to_come_back(
    tmp_path: Path, token_file: Path, sent: str | None, understood: int
) -> None:
    """SPEC 4.202: what is no number of seconds is taken as one."""

    async def refuse(_: web.Request) -> web.Response:
        headers = {} if sent is None else {"Retry-After": sent}
        return web.json_response({"code": "worker_busy", "message": "later"}, status=503, headers=headers)

    async with answering(tmp_path / "w.sock", token_file, refuse) as client:
        with pytest.raises(WorkerBusy) as busy:
            [event async for event in client.generate(REQUEST)]
    problem = problem_of(busy.value)
    assert (problem.status, problem.code, problem.retry_after) == (503, "worker_busy", understood)


@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b"nonsense", b'{"v":2}', b'{"v":1,"v":1}', b"\xff" * 9])
async def test_a_malformed_reply_is_a_failure_of_the_worker(
    tmp_path: Path, token_file: Path, body: bytes
) -> None:
    """SPEC 4.35"""

    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=body)

    async with answering(tmp_path / "w.sock", token_file, reply) as client:
        with pytest.raises(WorkerFailed):
            await client.health()


@pytest.mark.parametrize(
    ("stream", "kind"),
    [
        (b"", WorkerUnreachable),
        (b'event: token\ndata: {"v":1,"index":0,"id":1,"text":"a"}\n\n', WorkerUnreachable),
        (b'event: token\ndata: {"v":1,"index":0,"id":-1,"text":"a"}\n\n', WorkerFailed),
        (b"event: surprise\ndata: {}\n\n", WorkerFailed),
        (b'event: error\ndata: {"v":1,"code":"busy","message":"later"}\n\n', Busy),
        (b'event: error\ndata: {"v":1,"code":"bad_prompt","message":"no"}\n\n', WorkerRefused),
    ],
)
async def test_a_broken_stream_is_an_error_and_never_a_short_answer(
    tmp_path: Path, token_file: Path, stream: bytes, kind: type[OpenLedgerError]
) -> None:
    """SPEC 4.35"""

    async def reply(_: web.Request) -> web.Response:
        return web.Response(body=stream)

    async with answering(tmp_path / "w.sock", token_file, reply) as client:
        with pytest.raises(kind):
            [event async for event in client.generate(REQUEST)]


async def test_a_reply_without_end_is_cut_off(
    tmp_path: Path, token_file: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SPEC 4.35"""
    monkeypatch.setattr(worker_client, "MAX_REPLY_BYTES", 1_000)

    async def flood(request: web.Request) -> web.StreamResponse:
        response = web.StreamResponse()
        await response.prepare(request)
        while True:
            await response.write(b"x" * 500)

    async with answering(tmp_path / "w.sock", token_file, flood) as client:
        with pytest.raises(WorkerFailed, match="too large"):
            await asyncio.wait_for(client.health(), 10)


async def test_a_worker_that_is_not_there_is_unreachable(tmp_path: Path, token_file: Path) -> None:
    """SPEC 4.35"""
    async with WorkerClient(tmp_path / "nobody.sock", token_file) as client:
        with pytest.raises(WorkerUnreachable):
            await client.health()
