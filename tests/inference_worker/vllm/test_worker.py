"""A whole worker over vLLM: the routes, the adapters' way in, and what never gets as far as vLLM."""

import asyncio
import json
import sys

import pytest
import torch
from aiohttp import web

from inference_worker.adapters.ingest import MANIFEST_FILE
from inference_worker.base.fingerprint import write_record
from inference_worker.config import parse_arguments
from inference_worker.vllm.registry import NO_ADAPTER
from protocol.hashing import from_hex
from protocol.profile import is_repeatable
from tests.inference_worker.adapters.peft_folders import (
    BlobShelf,
    adapter_files,
    config_dict,
    files,
    manifest,
    random_pairs,
    tensor_name,
)
from tests.inference_worker.adapters.peft_saved import saved_by_peft
from tests.inference_worker.running_worker import parse_events, request_body
from tests.inference_worker.test_app import TOKEN, Node, session, worker_process
from tests.inference_worker.vllm.conftest import real_python, stub_python, write_base


@pytest.fixture(scope="module", params=["far side", pytest.param("vllm", marks=pytest.mark.slow)])
def python(request, tmp_path_factory):
    return real_python() if request.param == "vllm" else stub_python(tmp_path_factory.mktemp("python"))


@pytest.fixture
async def place(tmp_path, python):
    """Arguments, the node's shelf and the base's fingerprint for one worker with vLLM."""
    shelf, app = BlobShelf(), web.Application()
    app.router.add_get("/blobs/{cid}", Node(shelf).blob)
    runner = web.AppRunner(app)
    await runner.setup()
    await web.UnixSite(runner, str(tmp_path / "node.sock")).start()
    (tmp_path / "token").write_text(TOKEN)
    base = write_base(tmp_path / "base")
    fingerprint = write_record(base, "tiny")["fingerprint"]
    arguments = [
        "--socket", str(tmp_path / "w.sock"), "--node-socket", str(tmp_path / "node.sock"),
        "--token-file", str(tmp_path / "token"), "--data", str(tmp_path / "data"), "--base", str(base),
        "--threads", "1", "--running", "4", "--engine", "vllm", "--vllm-python", str(python),
        "--vllm-slots", "2", "--vllm-adapters", "4", "--vllm-flag=--enforce-eager",
    ]  # fmt: skip
    yield arguments, shelf, fingerprint
    await runner.cleanup()


def broken_files(fingerprint):
    """Bundles that vLLM itself takes and serves, and the code by which they are refused here."""
    name = tensor_name(0, "q_proj", "A")
    nan, narrow = random_pairs(1, 8), random_pairs(1, 8)
    nan[name][0, 0] = float("nan")
    narrow[name] = torch.ones(8, 60)
    return {
        "adapter_not_finite": files(nan, config_dict(), fingerprint),
        "adapter_shape_mismatch": files(narrow, config_dict(), fingerprint),
    }


async def test_only_what_passed_ingestion_reaches_vllm(place, tmp_path):
    """SPEC 4.196 and 4.199: sound adapters are served, others are refused as by our own engine."""
    arguments, shelf, fingerprint = place
    sound = shelf.put_bundle({**adapter_files(seed=2), MANIFEST_FILE: manifest(fingerprint)})
    async with worker_process(arguments), session(tmp_path / "w.sock") as client:

        async def ask(**changes):
            async with client.post("/generate", json=request_body(**changes)) as reply:
                return reply.status, await reply.read()

        status, body = await ask(adapter_cid=sound)
        assert status == 200, body
        done = parse_events(body)[-1][1]
        assert not is_repeatable(from_hex(done["profile_id"], 32))
        assert parse_events((await ask())[1])[-1][1]["output_ids"] != done["output_ids"]
        for code, named in broken_files(fingerprint).items():
            status, body = await ask(adapter_cid=shelf.put_bundle(named))
            assert (status, json.loads(body)["code"]) == (422, code)
        dora = saved_by_peft(tmp_path / "base", tmp_path / "dora", use_dora=True)
        status, body = await ask(adapter_cid=shelf.put_bundle({**dora, MANIFEST_FILE: manifest(fingerprint)}))
        assert status == 422 and "use_dora" in json.loads(body)["message"]
        status, body = await ask(json_schema='{"type":"object"}')
        assert status == 422 and "json_schema" in json.loads(body)["message"]
        written = {path.name for path in (tmp_path / "data/vllm").iterdir()}
        assert written == {NO_ADAPTER, sound}
        assert (tmp_path / "w.vllm").stat().st_mode & 0o077 == 0


async def test_a_worker_without_its_vllm_says_so_and_ends(place):
    """SPEC 4.199: with the interpreter at fault by name."""
    arguments, _, _ = place
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "inference_worker", *arguments, "--vllm-python", sys.executable,
        stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE,
    )  # fmt: skip
    out, errors = await process.communicate()
    assert process.returncode == 2 and out == b""
    assert f"{sys.executable} has no vLLM" in json.loads(errors.splitlines()[-1])["reason"]


@pytest.mark.parametrize(
    ("further", "said"),
    [
        ([], "--vllm-python"),
        (["--vllm-python", "p", "--base-dtype", "int8"], "--base-dtype"),
        (["--vllm-python", "p", "--adapter-dtype", "int8"], "--adapter-dtype"),
        (["--vllm-python", "p", "--tenant-weight", "a=2"], "--tenant-weight"),
        (["--vllm-python", "p", "--vllm-slots", "1"], "--vllm-slots"),
    ],
)
def test_what_vllm_would_ignore_is_no_setting_of_it(further, said, capsys):
    """SPEC 4.195"""
    needed = ["--socket", "s", "--node-socket", "n", "--token-file", "t", "--data", "d", "--base", "b"]
    with pytest.raises(SystemExit):
        parse_arguments([*needed, "--engine", "vllm", *further])
    assert said in capsys.readouterr().err
