"""Refusals: a status that fits, and for what passes by itself the time to ask again."""

import asyncio
import json
from dataclasses import replace

import pytest

from inference_worker.adapters.packing_process import PackingProcessDied
from inference_worker.adapters.residency import ResidencyFull
from inference_worker.blobs.abort import FetchAborted
from inference_worker.engine.scheduler import EngineBusy
from inference_worker.engine.sequence import Failed
from inference_worker.errors import NodeUnreachable, WorkerError
from inference_worker.routes import adapters
from inference_worker.routes.adapters import AdapterSlow
from inference_worker.routes.replies import refusal_of, refusal_of_failure
from protocol.errors import WireError
from tests.inference_worker.adapters.peft_folders import adapter_files
from tests.inference_worker.running_worker import request_body


def all_errors(kind):
    for child in kind.__subclasses__():
        yield child
        yield from all_errors(child)


def made(kind):
    """An error of this kind, whatever its arguments would be."""
    error = kind.__new__(kind)
    Exception.__init__(error, "why")
    return error


def test_every_503_says_when_to_come_back_and_nothing_else_does():
    """SPEC 4.202"""
    unavailable = set()
    for kind in {WorkerError, WireError, *all_errors(WorkerError)}:
        reply = refusal_of(made(kind))
        assert ("Retry-After" in reply.headers) == (reply.status == 503), kind
        if reply.status == 503:
            assert 1 <= int(reply.headers["Retry-After"]) <= 60
            unavailable.add(kind)
    assert unavailable >= {
        EngineBusy,
        ResidencyFull,
        AdapterSlow,
        FetchAborted,
        NodeUnreachable,
        PackingProcessDied,
    }


@pytest.mark.parametrize(("code", "status"), [("worker_stopping", 503), ("internal_error", 500)])
def test_a_worker_that_stops_says_when_to_come_back(code, status):
    """SPEC 4.202"""
    reply = refusal_of_failure(Failed(code, "why"))
    assert reply.status == status and ("Retry-After" in reply.headers) == (status == 503)


async def test_an_adapter_past_its_deadline_is_503_with_a_time(worker, monkeypatch):
    """SPEC 4.202"""
    cid = worker.shelf.put_bundle(adapter_files())
    monkeypatch.setattr(worker.shelf, "fetch", lambda cid, max_bytes, abort: _until_given_up(abort))
    monkeypatch.setattr(adapters.lease, "__defaults__", (0.01,))
    body = request_body(adapter_cid=cid)
    async with worker.session() as session, session.post("/generate", json=body) as reply:
        assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
        assert (await reply.json())["code"] == "adapter_loading"
    worker.services.loader.close()


def _until_given_up(abort):
    while True:
        abort.check()


async def test_a_full_line_is_503_with_a_time(worker):
    """SPEC 4.202: those in line and in the batch go on."""
    scheduler = worker.services.engine._scheduler
    scheduler.limits = replace(scheduler.limits, running=1, waiting=1)
    async with worker.session() as session:
        first = session.post("/generate", json=request_body(max_tokens=400, request_id="a"))
        running = await first
        await running.content.readline()
        waiting = asyncio.create_task(worker.generate(request_id="b"))
        async with asyncio.timeout(30):
            while worker.services.engine.load().waiting == 0:  # noqa: ASYNC110 - another thread's line
                await asyncio.sleep(0.005)
        async with session.post("/generate", json=request_body(request_id="c")) as reply:
            assert (reply.status, reply.headers["Retry-After"]) == (503, "1")
            assert json.loads(await reply.read())["code"] == "worker_busy"
        running.close()
    assert (await waiting)[0] == 200
