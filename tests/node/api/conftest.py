"""A node's outside with nothing behind it: the HTTP layer on a real socket, with a scripted pipeline.

The pipeline here is the test's own instrument: it records what the HTTP layer admits and charges, so that the
tests can say "nothing was charged". The whole node is tested in tests/integration.
"""

import asyncio
import hashlib
import itertools
from collections.abc import AsyncIterator, Iterator, Mapping
from dataclasses import dataclass, field

import aiohttp
import pytest
import pytest_asyncio

from node.api.app import ApiSettings, Parts, build_app, listen
from node.api.keys import Timeouts
from node.api.parameters import Limits
from node.api.ports import AnswerRecord, Check, Component, ModelCard, Network
from node.errors import Busy, Conflict, OpenLedgerError, WorkerUnreachable
from node.metrics import Registry
from node.payments.credit import NotEnoughCredit
from node.payments.session import Unauthenticated
from node.payments.vouchers import VoucherNotAuthorised
from node.pipeline import Admission, InferenceRequest
from node.serving.live import Finished, Token
from node.serving.model import AUTO
from node.training.reports import Provenance
from protocol.cid import cid_of_raw
from protocol.logprobs import ScoredToken, TokenScores
from tests.protocol.validity_made import made_report

KEY = "ol_sk_test"
POOR_KEY = "ol_sk_poor"
MODEL = "icd10"
REASON = "measured gain +0.200 MRR"
PRICE = 777


@dataclass
class ScriptedPipeline:
    """Answers with the words of the prompt. Each admitted request is charged once, under its id."""

    charged: dict[bytes, InferenceRequest] = field(default_factory=dict)
    fail_after: int | None = None
    error: OpenLedgerError = field(default_factory=lambda: WorkerUnreachable("the worker went away"))
    refuses_unbegun: bool = False
    pause: asyncio.Event | None = None
    closed: asyncio.Event = field(default_factory=asyncio.Event)
    begun: asyncio.Queue[bytes] = field(default_factory=asyncio.Queue)
    numbers: Iterator[int] = field(default_factory=itertools.count)

    async def admit(self, request: InferenceRequest) -> Admission:
        if request.voucher is not None:
            raise VoucherNotAuthorised("the voucher's signer may not sign for this channel")
        if request.api_key is None:
            raise Unauthenticated("a paid request needs an API key or a voucher")
        if request.api_key == POOR_KEY:
            raise NotEnoughCredit("the channel cannot carry this request")
        if request.api_key != KEY:
            raise Unauthenticated("unknown API key")
        if isinstance(self.error, Busy) and not self.refuses_unbegun:
            raise self.error
        name = request.idempotency_key or f"minted {next(self.numbers)}"
        request_id = hashlib.sha256(name.encode()).digest()
        known = self.charged.setdefault(request_id, request)
        if known.body_digest != request.body_digest:
            raise Conflict("this idempotency key was used with another body")
        if request.model == AUTO:
            return Admission(request_id, MODEL, 1_700_000_000, REASON)
        return Admission(request_id, request.model, 1_700_000_000)

    async def stream(self, admission: Admission) -> AsyncIterator[Token | Finished]:
        request = self.charged[admission.request_id]
        text = request.prompt if request.prompt is not None else (request.messages or ())[-1][1]
        words = text.split()[: request.max_tokens]
        self.begun.put_nowait(admission.request_id)
        try:
            for number, word in enumerate(words):
                if number == self.fail_after:
                    raise self.error
                yield scored(request, Token((" " if number else "") + word, number))
            if self.pause is not None:
                await self.pause.wait()
            yield Finished("stop", 5, len(words), PRICE)
        finally:
            self.closed.set()


def scored(request: InferenceRequest, token: Token) -> Token:
    """The token, with scores where they were asked for: itself first, then invented ones."""
    if request.sampling.logprobs is None:
        return token
    chosen = ScoredToken(token.token_id, -0.25, token.text.encode())
    others = (ScoredToken(90 + place, -1.5 - place, b"?") for place in range(request.sampling.logprobs - 1))
    top = (chosen, *others) if request.sampling.logprobs else ()
    return Token(token.text, token.token_id, TokenScores(chosen, top))


@dataclass
class Shelf:
    """Answer records by id; the texts are readable with KEY, or by all if published."""

    records: dict[bytes, AnswerRecord] = field(default_factory=dict)
    published: bool = False

    def find(self, request_id: bytes) -> AnswerRecord | None:
        return self.records.get(request_id)

    def verify(self, request_id: bytes) -> tuple[Check, ...]:
        return (
            Check("signature", True, "recovered"),
            Check("price", request_id in self.records, "recomputed"),
        )

    def may_read(self, request_id: bytes, api_key: str | None) -> bool:
        return self.published or api_key == KEY


@dataclass
class Surroundings:
    """Models, health and a chain that answers every call with its own method name."""

    ready: bool = True
    bare: bool = False
    calls: list[str] = field(default_factory=list)

    def served(self) -> tuple[ModelCard, ...]:
        owner = "0x" + "11" * 20
        base = ModelCard("plain", 1, 1_600_000_000, owner, None, "", 0, 0, 1, 1, 0)
        return (
            ModelCard(
                MODEL, 2, 1_700_000_000, owner, "smollm2", "bafkreia", 1, 2, 10**15, 2 * 10**15, 0, REPORT
            ),
            *([base] if self.bare else []),
        )

    def components(self) -> tuple[Component, ...]:
        return (Component("chain", True, "head 7"), Component("worker", self.ready, "one worker"))

    def stages(self) -> Mapping[str, Mapping[str, int | str]]:
        return {"serving": {"answers": 3}}

    async def call(self, method: str, parameters: list[object]) -> Mapping[str, object]:
        self.calls.append(method)
        return {"result": method}


@dataclass
class Running:
    """A listening node's outside, and a client for it."""

    url: str
    pipeline: ScriptedPipeline
    shelf: Shelf
    surroundings: Surroundings
    client: aiohttp.ClientSession

    async def chat(
        self, key: str | None = KEY, headers: dict[str, str] | None = None, **body: object
    ) -> tuple[int, object]:
        """POST a chat completion; status and JSON."""
        request = {"model": MODEL, "messages": [{"role": "user", "content": "one two"}], **body}
        sent = {**({"Authorization": f"Bearer {key}"} if key else {}), **(headers or {})}
        async with self.client.post(
            f"{self.url}/v1/chat/completions", json=request, headers=sent
        ) as response:
            return response.status, await response.json()


REPORT = Provenance(made_report(), cid_of_raw(b"a report"), "validity-7", 1_700_000_500)
NETWORK = Network(31337, "test chain", "http://127.0.0.1:8545", {}, {})
SETTINGS = ApiSettings(
    allowed_hosts=(),
    public_url="",
    max_body_bytes=1 << 20,
    max_in_flight=4,
    max_in_flight_per_client=3,
    limits=Limits(max_prompt_bytes=4096, max_tokens=64, default_max_tokens=16),
    timeouts=Timeouts(body=0.5, write=2.0),
)


@pytest_asyncio.fixture
async def running():
    """The public application on a free loopback port."""
    pipeline, shelf, around = ScriptedPipeline(), Shelf(), Surroundings()
    parts = Parts(pipeline, around, shelf, around, around, NETWORK, Registry())
    runner, port = await listen(build_app(parts, SETTINGS), "127.0.0.1", 0)
    async with aiohttp.ClientSession() as client:
        yield Running(f"http://127.0.0.1:{port}", pipeline, shelf, around, client)
    await runner.cleanup()


@pytest.fixture
def key() -> str:
    """An API key that may ask."""
    return KEY
