"""A vLLM engine over a tiny base: with the far side of these tests, and with the real vLLM where it is
installed."""

import asyncio
import json
import re
import sys
import threading
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import pytest
import torch
from transformers import LlamaForCausalLM

from inference_worker.adapters.shape import shape_of
from inference_worker.engine.linear import choose_linear
from inference_worker.engine.model_runner import ModelRunner
from inference_worker.engine.weights import read_weights
from inference_worker.metrics import Metrics
from inference_worker.vllm.answerer import Answerer
from inference_worker.vllm.client import VllmClient
from inference_worker.vllm.engine import VllmEngine
from inference_worker.vllm.process import Launch, VllmProcess
from inference_worker.vllm.registry import Registry
from tests.inference_worker.adapters.peft_folders import END, tiny_config
from tests.inference_worker.engine.requests import decode
from tests.inference_worker.running_worker import byte_tokenizer

REAL = Path(__file__).resolve().parents[3] / ".tools/bench/vllm/bin/python"
FAR_SIDE = Path(__file__).with_name("far_side.py")
ROOT = Path(__file__).resolve().parents[3]
SLOTS, HELD = 2, 3
KEY = "key-of-the-test"


def write_base(folder):
    """The tiny base of the adapters' tests with heads as wide as vLLM's attention wants them."""
    config = tiny_config()
    config.num_attention_heads, config.num_key_value_heads, config.head_dim = 2, 1, 32
    torch.manual_seed(0)
    LlamaForCausalLM(config).save_pretrained(str(folder))
    byte_tokenizer().save_pretrained(str(folder))
    return folder


def stub_python(folder):
    """A command that answers like vLLM's interpreter, whatever module it is told to run."""
    script = folder / "python"
    asks = 'case "$*" in *importlib.metadata*) echo \'{"vllm": "0"}\'; exit;; esac\n'
    script.write_text(f'#!/bin/sh\n{asks}exec env PYTHONPATH={ROOT} {sys.executable} {FAR_SIDE} "$@"\n')
    script.chmod(0o700)
    return script


def real_python():
    if not REAL.is_file():
        pytest.skip("vLLM is not installed: make it with `scripts/setup_peers.sh vllm`")
    return REAL


def launch_for(python, base, folder, **changes):
    options = {
        "python": python, "base": base, "socket": folder / "v.sock", "log": folder / "vllm.log",
        "dtype": "float32", "positions": 512, "running": 8, "threads": 1, "slots": SLOTS, "held": HELD,
        "rank": 16, "flags": ("--enforce-eager",), "start_seconds": 300.0,
    }  # fmt: skip
    return Launch(**{**options, **changes})


class Running:
    """A started engine, what it condemned, and how to look at its far side."""

    def __init__(self, engine, process, metrics, condemned):
        self.engine, self.process, self.metrics, self.condemned = engine, process, metrics, condemned

    def far_pid(self):
        """The process that its guard watches over."""
        guard = self.process.pid
        return int(Path(f"/proc/{guard}/task/{guard}/children").read_text())

    def forget(self, cid):
        """Let the far side drop an adapter behind the engine's back."""

        async def tell():
            connector = aiohttp.UnixConnector(str(self.process.launch.socket))
            headers = {"Authorization": f"Bearer {KEY}"}
            async with (
                aiohttp.ClientSession("http://v", connector=connector, headers=headers) as session,
                session.post("/v1/unload_lora_adapter", json={"lora_name": cid}) as reply,
            ):
                assert reply.status == 200

        asyncio.run(tell())

    def requests_running(self):
        """As the far side itself counts them."""

        async def ask():
            connector = aiohttp.UnixConnector(str(self.process.launch.socket))
            async with (
                aiohttp.ClientSession("http://v", connector=connector) as session,
                session.get("/metrics") as reply,
            ):
                return await reply.text()

        text = asyncio.run(ask())
        return sum(float(n) for n in re.findall(r"^vllm:num_requests_running\S* (\S+)$", text, re.M))


@contextmanager
def running_vllm(launch):
    """A started engine; everything of it is gone after the block."""
    shape = shape_of(json.loads((launch.base / "config.json").read_text()))
    metrics, condemned = Metrics(), []
    client, process = VllmClient(launch.socket, KEY), VllmProcess(launch, KEY)
    registry = Registry(launch.log.parent / "adapters", shape, launch.held, client)
    answerer = Answerer(client, registry, decode, frozenset({END}), metrics)
    engine = VllmEngine(
        process, client, registry, answerer, 16, lambda cid, why: condemned.append((cid, why.code)), metrics
    )
    engine.start()
    try:
        yield Running(engine, process, metrics, condemned)
    finally:
        engine.close(0)


@pytest.fixture(scope="session")
def narrow_base(tmp_path_factory):
    return write_base(tmp_path_factory.mktemp("vllm-base"))


@pytest.fixture(scope="session")
def runner(narrow_base):
    """Our own engine's arithmetic over the same base."""
    return ModelRunner(read_weights(narrow_base, choose_linear()[1]))


@pytest.fixture(scope="module", params=["far side", pytest.param("vllm", marks=pytest.mark.slow)])
def running(request, narrow_base, tmp_path_factory):
    folder = tmp_path_factory.mktemp("vllm")
    python = real_python() if request.param == "vllm" else stub_python(folder)
    with running_vllm(launch_for(python, narrow_base, folder)) as started:
        started.is_real = request.param == "vllm"
        yield started


def until(holds, seconds=300):
    """Wait for a condition of another process; fails loudly where it never comes true."""
    patience = threading.Event()
    for _ in range(seconds * 20):
        if holds():
            return
        patience.wait(0.05)
    raise AssertionError("the condition never came true")
