"""`openledger worker` against real workers: one with a tiny base in this process, and one that it starts."""

import asyncio
import json
import os
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import torch
from click.testing import Result

from inference_worker.base.fingerprint import write_record
from inference_worker.engine.linear import choose_linear
from inference_worker.engine.weights import read_weights
from node.cli.worker_page import models_of
from node.errors import Unavailable
from node.serving.load_report import Deployed
from protocol.cid import cid_of_raw
from tests.inference_worker.adapters.peft_folders import adapter_files, manifest, write_base
from tests.inference_worker.running_worker import TOKEN, Worker, byte_tokenizer, running_worker
from tests.node.cli.conftest import ROOT, Terminal

ABSENT = cid_of_raw(b"nothing here").text


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.set_num_threads(1)
    folder = Path(write_base(tmp_path_factory.mktemp("base")))
    byte_tokenizer().save_pretrained(str(folder))
    write_record(folder, "tiny")
    return folder


@pytest.fixture
async def worker(base: Path, tmp_path: Path) -> AsyncIterator[Worker]:
    (tmp_path / "token").write_text(TOKEN + "\n")
    async with running_worker(read_weights(base, choose_linear()[1]), tmp_path) as running:
        yield running


async def ask(terminal: Terminal, worker: Worker, *arguments: str) -> Result:
    """One command, in a thread, since the worker answers in this one."""
    places = ("--socket", str(worker.socket), "--token-file", str(terminal.folder / "token"))
    return await asyncio.to_thread(terminal.run, "worker", *places, *arguments)


async def told(terminal: Terminal, worker: Worker, *arguments: str) -> Any:
    done = await ask(terminal, worker, *arguments, "--json")
    assert done.exit_code == 0, done.output
    return json.loads(done.stdout)


async def test_an_adapter_from_registration_to_eviction(terminal: Terminal, worker: Worker) -> None:
    """SPEC 4.161, 4.160"""
    cid = worker.shelf.put_bundle(adapter_files())
    assert await told(terminal, worker, "register", cid) == {"cid": cid, "done": "registered"}
    (row,) = (await told(terminal, worker, "list"))["adapters"]
    assert (row["cid"], row["state"], row["host_bytes"]) == (cid, "registered", 0)
    assert row["use"]["last_used"] == row["use"]["moved_bytes"] == 0
    await told(terminal, worker, "pin", cid)
    held = await ask(terminal, worker, "evict", cid)
    assert held.exit_code == 4 and "a pin" in held.stderr
    status, _ = await worker.generate(adapter_cid=cid, max_tokens=5)
    assert status == 200
    await told(terminal, worker, "unpin", cid)
    listed = await told(terminal, worker, "list", "--state", "resident")
    (row,), host = listed["adapters"], listed["tiers"][0]
    assert (row["state"], row["pinned"], row["leases"]) == ("resident", False, 0)
    assert host == {**host, "tier": "host", "used_bytes": row["host_bytes"]}
    use = row["use"]
    assert use["moved_bytes"] == row["host_bytes"] > 0 and use["loads"] == use["answers"] == 1
    assert 1 <= use["output_tokens"] <= 5 and use["prompt_tokens"] == len("Hello")
    assert use["last_used"] > 0 and use["load_microseconds"] > 0
    await told(terminal, worker, "evict", cid)
    assert (await told(terminal, worker, "list", "--state", "resident"))["adapters"] == []
    assert (await ask(terminal, worker, "evict", cid)).exit_code == 3


async def test_tables_are_for_people(terminal: Terminal, worker: Worker) -> None:
    """SPEC 4.161"""
    cid = worker.shelf.put_bundle(adapter_files())
    await told(terminal, worker, "pin", cid)
    done = await ask(terminal, worker, "list")
    lines = done.stdout.splitlines()
    assert [line.split(":")[0] for line in lines[:3]] == ["host", "disk", "fetching"]
    assert lines[3].split() == [
        "adapter", "state", "memory", "disk", "held", "by", "requests", "last", "used", "reason",
    ]  # fmt: skip
    assert lines[4].startswith(cid) and "resident" in lines[4] and "0 requests pin" in lines[4]
    assert lines[4].endswith("never")


async def test_quarantine_tells_why_and_lets_go(terminal: Terminal, worker: Worker) -> None:
    """SPEC 4.161"""
    cid = worker.shelf.put_bundle({**adapter_files(), "manifest.json": manifest("0x00")})
    refused = await ask(terminal, worker, "pin", cid)
    assert refused.exit_code == 2 and "wrong_base" in refused.stderr
    (line,) = await told(terminal, worker, "quarantine")
    assert (line["cid"], line["kind"], line["code"]) == (cid, "refused", "adapter_wrong_base")
    await told(terminal, worker, "quarantine", "--clear", cid)
    assert await told(terminal, worker, "quarantine") == []


async def test_metrics_are_the_workers_own(terminal: Terminal, worker: Worker) -> None:
    """SPEC 4.161"""
    await told(terminal, worker, "register", ABSENT)
    found = await told(terminal, worker, "metrics")
    plain = {one["name"]: one["value"] for one in found if not one["labels"]}
    assert plain["adapters_registered"] == "1" and plain["adapters_resident"] == "0"
    labelled = [one["labels"] for one in found if one["name"] == "requests_total"]
    assert "route=/adapters/{cid} status=200" in labelled
    samples = [line.split("{")[0].split()[0] for line in (await _text(worker)).splitlines() if line[0] != "#"]
    assert {f"openledger_worker_{one['name']}" for one in found} == set(samples)


async def _text(worker: Worker) -> str:
    return (await worker.call("GET", "/metrics"))[1].decode()


@pytest.mark.parametrize("command", ["register", "pin", "unpin", "evict"])
async def test_what_is_no_content_id_reaches_no_worker(
    terminal: Terminal, worker: Worker, command: str
) -> None:
    """SPEC 4.162"""
    before = await _text(worker)
    done = await ask(terminal, worker, command, "../metrics")
    assert done.exit_code == 2 and "content id" in done.stderr
    assert "/adapters" not in before and "/adapters" not in await _text(worker)


async def test_an_error_says_what_to_do(terminal: Terminal, worker: Worker) -> None:
    """SPEC 4.162"""
    lost = terminal.run("worker", "list")
    assert lost.exit_code == 2 and "--token-file" in lost.stderr
    token = ("--token-file", str(terminal.folder / "token"))
    alone = terminal.run("worker", *token, "list")
    assert alone.exit_code == 6 and "openledger worker run" in alone.stderr
    (terminal.folder / "token").write_text("another\n")
    assert "401" in (await ask(terminal, worker, "list")).stderr
    (terminal.folder / "token").write_text(TOKEN + "\n")
    assert (await ask(terminal, worker, "pin", "nonsense")).exit_code == 2
    assert (await ask(terminal, worker, "pin", ABSENT)).exit_code == 3
    assert (await ask(terminal, worker, "list", "--state", "odd")).exit_code == 2
    based = terminal.run("worker", "run", "--base", str(terminal.folder / "none"))
    assert based.exit_code == 3 and "base.convert" in based.stderr


async def test_the_page_of_a_running_worker(terminal: Terminal, worker: Worker) -> None:
    """SPEC 4.200, 4.208: it says where it is, asks for the token, names what it cannot know, and ends."""
    cid = worker.shelf.put_bundle(adapter_files())
    await worker.generate(adapter_cid=cid, max_tokens=3)
    token_file = terminal.folder / "token"
    command = ["-m", "node", "worker", "--socket", str(worker.socket), "--token-file", str(token_file)]
    page = ("page", "--port", "0", "--url", "http://127.0.0.1:9", "--hour-price", "2.5")
    process = await asyncio.create_subprocess_exec(
        sys.executable, *command, *page, cwd=ROOT, stdout=asyncio.subprocess.PIPE,
        env={**os.environ, **terminal.environment},
    )  # fmt: skip
    try:
        assert process.stdout is not None
        said = (await asyncio.wait_for(process.stdout.readline(), 60)).decode()
        url = said.split()[0]
        assert url.startswith("http://127.0.0.1:") and str(token_file) in said and TOKEN not in said
        async with aiohttp.ClientSession() as client:
            async with client.get(url) as refused:
                assert refused.status == 401
            async with client.get(url, headers={"Authorization": f"Bearer {TOKEN}"}) as reply:
                text = await reply.text()
        assert reply.status == 200 and cid in text and "adapters have no names" in text
        assert "Price of 1,000 tokens" in text
        process.send_signal(signal.SIGINT)
        assert await asyncio.wait_for(process.wait(), 60) == 0
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()


def test_a_page_without_a_token_says_what_to_do(terminal: Terminal) -> None:
    """SPEC 4.162"""
    lost = terminal.run("worker", "page")
    assert lost.exit_code == 2 and "--token-file" in lost.stderr


@pytest.mark.parametrize("price", ["nan", "inf", "-1"])
def test_what_is_no_price_is_refused_before_the_page_is_served(terminal: Terminal, price: str) -> None:
    """SPEC 4.162"""
    refused = terminal.run("worker", "page", "--hour-price", price)
    assert refused.exit_code == 2 and "not a price" in refused.stderr


def test_the_specialised_models_of_a_node_are_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 4.200: a bare base has no adapter; one bundle may have several names."""
    told = {"data": [{"id": "m", "root": "cid"}, {"id": "base", "root": ""}, {"id": "n", "root": "cid"}]}
    monkeypatch.setattr("node.cli.receipt.fetch", lambda url, path: told)
    assert models_of("http://node") == (Deployed("m", "cid"), Deployed("n", "cid"))


@pytest.mark.parametrize(
    "told", [[], {}, {"data": 1}, {"data": [{"id": "m"}]}, {"data": [{"id": 1}]}], ids=str
)
def test_what_is_no_list_of_models_is_no_answer(told: object, monkeypatch: pytest.MonkeyPatch) -> None:
    """SPEC 4.208"""
    monkeypatch.setattr("node.cli.receipt.fetch", lambda url, path: told)
    with pytest.raises(Unavailable, match="malformed"):
        models_of("http://node")


def test_a_worker_by_itself(terminal: Terminal, base: Path) -> None:
    """SPEC 4.163: it makes its token, listens, answers, and ends in order when told."""
    environment = {**os.environ, **terminal.environment}
    command = [sys.executable, "-m", "node", "worker", "run", "--base", str(base), "--threads", "1"]
    process = subprocess.Popen(
        command, cwd=ROOT, env=environment, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL
    )
    try:
        assert process.stdout is not None
        ready = json.loads(process.stdout.readline())
        assert ready["event"] == "ready"
        token = terminal.folder / "data" / "worker.token"
        assert token.stat().st_mode & 0o077 == 0 and token.read_text().strip()
        assert terminal.json("worker", "list")["adapters"] == []
        process.send_signal(signal.SIGTERM)
        assert process.wait(60) == 0
        assert terminal.run("worker", "list").exit_code == 6
    finally:
        if process.poll() is None:
            process.kill()
            process.wait()
