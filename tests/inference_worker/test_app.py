"""The worker as a real process: it starts, serves adapters fetched from a node, drains on SIGTERM, survives
kill -9."""

import asyncio
import json
import os
import signal
import sys
from contextlib import asynccontextmanager

import aiohttp
import pytest
from aiohttp import web

from inference_worker.adapters.base_rows import BaseRows
from inference_worker.adapters.ingest import MANIFEST_FILE, Caps, ingest
from inference_worker.adapters.packing import pack
from inference_worker.adapters.quantised import quantise
from inference_worker.app import clear_socket, packed_for
from inference_worker.base.fingerprint import write_record
from inference_worker.config import default_threads, parse_arguments
from tests.inference_worker.adapters.peft_folders import (
    BlobShelf,
    adapter_files,
    manifest,
    shape,
    write_base,
)
from tests.inference_worker.adapters.peft_saved import saved_by_peft
from tests.inference_worker.running_worker import byte_tokenizer, parse_events, request_body

TOKEN = "shared"
START_SECONDS = 90


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    folder = write_base(tmp_path_factory.mktemp("base"))
    byte_tokenizer().save_pretrained(str(folder))
    return folder, write_record(folder, "tiny")["fingerprint"]


class Node:
    """The node's blob route with a shelf behind it."""

    def __init__(self, shelf):
        self.shelf = shelf

    async def blob(self, request):
        if request.headers.get("Authorization") != f"Bearer {TOKEN}":
            raise web.HTTPUnauthorized
        data = self.shelf.blobs.get(request.match_info["cid"])
        if data is None:
            raise web.HTTPNotFound
        return web.Response(body=data)


@pytest.fixture
async def place(tmp_path, base):
    """Folders, token and a node socket for one worker; yields (arguments, shelf, worker socket,
    fingerprint)."""
    shelf = BlobShelf()
    app = web.Application()
    app.router.add_get("/blobs/{cid}", Node(shelf).blob)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "node.sock")).start()
    (tmp_path / "token").write_text(TOKEN + "\n")
    arguments = [
        "--socket", str(tmp_path / "worker.sock"), "--node-socket", str(tmp_path / "node.sock"),
        "--token-file", str(tmp_path / "token"), "--data", str(tmp_path / "data"), "--base", str(base[0]),
        "--threads", "1",
    ]  # fmt: skip
    yield arguments, shelf, tmp_path / "worker.sock", base[1]
    await runner.cleanup()


@asynccontextmanager
async def worker_process(arguments):
    """A started worker; killed on the way out if it still runs."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "inference_worker", *arguments, stdout=asyncio.subprocess.PIPE
    )
    try:
        ready = await asyncio.wait_for(process.stdout.readline(), START_SECONDS)
        assert json.loads(ready)["event"] == "ready"
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


def session(socket):
    return aiohttp.ClientSession(
        "http://worker",
        connector=aiohttp.UnixConnector(str(socket)),
        headers={"Authorization": f"Bearer {TOKEN}"},
    )


async def answer(socket, **changes):
    async with session(socket) as client, client.post("/generate", json=request_body(**changes)) as reply:
        body = await reply.read()
        assert reply.status == 200, body
        return parse_events(body)[-1][1]


async def test_worker_serves_adapters_from_the_node_and_survives_kill_9(place):
    """SPEC 4.27"""
    arguments, shelf, socket, fingerprint = place
    cid = shelf.put_bundle({**adapter_files(seed=2), MANIFEST_FILE: manifest(fingerprint)})
    async with worker_process(arguments) as process:
        assert oct(socket.stat().st_mode & 0o777) == "0o600"
        base = await answer(socket)
        adapted = await answer(socket, adapter_cid=cid)
        assert base["output_ids"] != adapted["output_ids"]
        async with session(socket) as client:
            endless = request_body(adapter_cid=cid, max_tokens=400, temperature=1.0, request_id="cut")
            async with client.post("/generate", json=endless) as reply:
                await reply.content.readline()
                os.kill(process.pid, signal.SIGKILL)
                with pytest.raises((aiohttp.ClientError, ConnectionError)):
                    await reply.content.read()
        await process.wait()
    assert socket.exists()
    async with worker_process(arguments):
        assert await answer(socket, adapter_cid=cid) == adapted
        assert await answer(socket) == base


async def test_sigterm_lets_the_running_answer_end(place):
    """SPEC 4.27"""
    arguments, _, socket, _ = place
    async with worker_process(arguments) as process, session(socket) as client:
        body = request_body(max_tokens=60, temperature=1.0, seed=1)
        async with client.post("/generate", json=body) as reply:
            await reply.content.readline()
            os.kill(process.pid, signal.SIGTERM)
            events = await reply.read()
        assert b"event: done" in events
        assert await asyncio.wait_for(process.wait(), START_SECONDS) == 0
    assert not socket.exists()


async def test_worker_serves_dora_and_holds_it_as_it_is_told(place, base, tmp_path):
    """SPEC 4.90, 4.91: the worker hands its base to ingestion, and counts the bytes of the pool's form."""
    arguments, shelf, socket, fingerprint = place
    named = saved_by_peft(base[0], tmp_path, use_dora=True) | {MANIFEST_FILE: manifest(fingerprint)}
    checked = ingest(named, shape(), fingerprint, Caps(), BaseRows(base[0] / "model.safetensors"))
    small = quantise(pack("cid", checked, shape()), shape())
    cid = shelf.put_bundle(named)
    async with worker_process([*arguments, "--adapter-dtype", "int8"]):
        assert (await answer(socket, adapter_cid=cid))["output_ids"] != (await answer(socket))["output_ids"]
        async with session(socket) as client, client.get("/adapters") as reply:
            used = (await reply.json())["used_bytes"]
    # The account may round each tensor up to a 64-byte line.
    assert small.nbytes <= used < small.nbytes + 3 * 64


PATHS = ["--socket", "s", "--node-socket", "n", "--token-file", "t", "--data", "d", "--base", "b"]


def test_arguments_have_safe_defaults():
    """SPEC 4.27"""
    config = parse_arguments(PATHS)
    assert (str(config.socket), str(config.base)) == ("s", "b")
    assert config.threads == default_threads(os.cpu_count())
    assert config.tenant_weights == ()
    assert [default_threads(n) for n in (None, 1, 2, 16)] == [1, 1, 1, 8]


def test_tenant_weights_are_read_from_the_command_line():
    """SPEC 4.126"""
    weighted = [*PATHS, "--tenant-weight", "0xab=3", "--tenant-weight", "a=b=2"]
    assert parse_arguments(weighted).tenant_weights == (("0xab", 3), ("a=b", 2))


@pytest.mark.parametrize("text", ["x", "x=", "=1", "x=0", "x=-1", "x=many"])
def test_a_weight_that_is_none_is_refused(text):
    """SPEC 4.126"""
    with pytest.raises(SystemExit):
        parse_arguments([*PATHS, "--tenant-weight", text])


def test_only_a_socket_is_cleared(tmp_path):
    """SPEC 4.27"""
    kept = tmp_path / "precious"
    kept.write_text("data")
    clear_socket(kept)
    assert kept.read_text() == "data"


def test_packed_files_are_of_one_base_dtype_and_one_pool(place):
    """SPEC 4.171: their DoRA gains were computed for the weights that multiply."""
    arguments = place[0]
    owners = {
        packed_for(fingerprint, parse_arguments([*arguments, "--base-dtype", base, "--adapter-dtype", pool]))
        for fingerprint in ("0xa", "0xb")
        for base in ("float32", "bfloat16", "int8", "int4")
        for pool in ("float32", "int8")
    }
    assert len(owners) == 16
