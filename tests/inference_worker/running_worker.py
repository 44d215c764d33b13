"""A worker's HTTP server as tests run it: a Unix socket, a tiny real model, a tokenizer of bytes."""

import json
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web
from tokenizers import Tokenizer, decoders, models, pre_tokenizers
from transformers import PreTrainedTokenizerFast

from inference_worker.adapters.spelled_ensembles import SpelledEnsembles
from inference_worker.engine.engine import Engine
from inference_worker.engine.grammar import GrammarCompiler
from inference_worker.engine.model_runner import ModelRunner
from inference_worker.engine.profile import profile_id
from inference_worker.engine.prompt import PromptEncoder
from inference_worker.engine.sampling_rules import SamplingRules
from inference_worker.engine.scheduler import SchedulerLimits
from inference_worker.engine.step_costs import StepCosts, processor_microseconds
from inference_worker.metrics import Metrics
from inference_worker.routes.fences import Fences
from inference_worker.routes.services import Services
from inference_worker.routes.turns import Turns
from inference_worker.server import create_app
from inference_worker.training.jobs import JobRunner
from protocol.attribution import Lane, LaneUnits
from protocol.wire import (
    AttributeResult,
    BaseInfo,
    GenerateRequest,
    Sampling,
)
from tests.inference_worker.adapters.loading import make_loader
from tests.inference_worker.adapters.peft_folders import (
    FINGERPRINT,
    BlobShelf,
    shape,
)

TOKEN = "secret-token"
TEMPLATE = (
    "{% for m in messages %}<|start|>{{ m['role'] }}\n{{ m['content'] }}<|end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|start|>assistant\n{% endif %}"
)


def byte_tokenizer():
    """Bytes as tokens 0..255 and three control tokens: the smallest honest tokenizer with a chat template."""
    alphabet = sorted(pre_tokenizers.ByteLevel.alphabet())
    inner = Tokenizer(models.BPE(vocab={c: i for i, c in enumerate(alphabet)}, merges=[]))
    inner.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
    inner.decoder = decoders.ByteLevel()
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=inner,
        eos_token="<|end|>",
        additional_special_tokens=["<|start|>"],
        chat_template=TEMPLATE,
    )
    return tokenizer


class SlowAttributor:
    """Attribution that waits until the test lets it go; what it answers is not the point here."""

    def __init__(self):
        self.gate, self.started = threading.Event(), threading.Event()

    def attribute(self, request):
        self.started.set()
        assert self.gate.wait(30)
        lanes = (LaneUnits(Lane.SPAN, (), len(request.output_ids), True),)
        return AttributeResult(b"\1" * 32, lanes, (), tuple("x" for _ in request.output_ids))


class Worker:
    """A running server and a client session to it."""

    def __init__(self, services, shelf, socket):
        self.services, self.shelf, self.socket = services, shelf, socket

    def session(self, token=TOKEN):
        headers = {"Authorization": f"Bearer {token}"} if token is not None else {}
        return aiohttp.ClientSession(
            "http://worker", connector=aiohttp.UnixConnector(str(self.socket)), headers=headers
        )

    async def call(self, method, path, body=None, token=TOKEN, **options):
        async with (
            self.session(token) as session,
            session.request(method, path, json=body, **options) as reply,
        ):
            return reply.status, await reply.read()

    async def generate(self, **changes):
        """Status and the list of (event, data) of one generation."""
        status, body = await self.call("POST", "/generate", request_body(**changes))
        return status, parse_events(body) if status == 200 else json.loads(body)


def parse_events(body):
    blocks = [block.split("\n") for block in body.decode().split("\n\n") if block]
    return [(name.removeprefix("event: "), json.loads(data.removeprefix("data: "))) for name, data in blocks]


def request_body(**changes):
    base = {
        "request_id": "r1",
        "fence": 1,
        "adapter_cid": None,
        "messages": None,
        "prompt": "Hello",
        "prompt_ids": None,
        "max_tokens": 8,
    }
    sampling = Sampling(temperature=0.0)
    chosen = {k: v for k, v in changes.items() if k in sampling.to_json()}
    messages = changes.get("messages")
    if messages and not isinstance(messages[0], dict):
        changes["messages"] = [{"role": role, "content": content} for role, content in messages]
    return {
        **GenerateRequest(**base, sampling=sampling).to_json(),
        "sampling": {**sampling.to_json(), **chosen},
        **{k: v for k, v in changes.items() if k not in chosen},
    }


@asynccontextmanager
async def running_worker(weights, folder):
    """A worker on a socket in `folder`, until the block ends."""
    shelf = BlobShelf()
    tokenizer = byte_tokenizer()
    prompts = PromptEncoder(tokenizer, shape().vocab)
    end = frozenset({tokenizer.eos_token_id})
    limits = SchedulerLimits(running=8, total_positions=8192, sequence_positions=512)
    counters = Metrics()
    pools = [ThreadPoolExecutor(2) for _ in range(4)]
    quick, attributing, *loading = pools
    # Looked up at each fetch, so that a test may put another in its place.
    ensembles = SpelledEnsembles(lambda *asked: shelf.fetch(*asked))
    loader = make_loader(ensembles.fetch, folder, metrics=counters, pools=loading)
    costs = StepCosts(loader.usage.steps, processor_microseconds(1))
    engine = Engine(
        ModelRunner(weights), prompts.decoder(), end, limits, loader.quarantine, counters, costs=costs
    )
    engine.start()
    jobs = JobRunner(folder, folder, "none.sock", folder / "token")
    jobs.start()
    services = Services(
        TOKEN,
        BaseInfo(FINGERPRINT, "0x" + "cd" * 32, "tiny"),
        profile_id("test", 64, 256),
        prompts,
        SamplingRules(GrammarCompiler(tokenizer, shape().vocab), shape().vocab),
        loader,
        ensembles,
        engine,
        SlowAttributor(),
        jobs,
        quick,
        Turns(attributing, 3),
        Fences(),
        counters,
    )
    runner = web.AppRunner(create_app(services), handler_cancellation=True)
    await runner.setup()
    socket = folder / "w.sock"
    await web.UnixSite(runner, str(socket)).start()
    yield Worker(services, shelf, socket)
    services.attributor.gate.set()
    await runner.cleanup()
    engine.close(0)
    jobs.close()
    loader.close()
    for pool in pools:
        pool.shutdown()
