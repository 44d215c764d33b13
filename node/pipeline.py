"""THE MAIN FLOW of one paid request, top to bottom: admit, generate, attribute, receipt, voucher.

Each step is on disk before the next begins (ADR 8), so that a node killed anywhere goes on from what it
has: a request whose answer is complete gets its one receipt, any other is given up and costs nothing. The
answer streams while it is made; everything after it runs in the background.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncGenerator, Callable, Coroutine
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import Any

from node.attribution.attributor import Attributor, Versions
from node.errors import Conflict
from node.failpoints import failpoint
from node.governance.parameters import ParameterMirror
from node.log import get_logger
from node.metrics import Registry
from node.payments.acknowledge import Vouchers
from node.payments.admission import Admissions, Payer
from node.payments.vouchers import SignedVoucher
from node.receipts.issuer import Draft, Issuer
from node.receipts.terms import terms_of
from node.serving.answer import Answer, AnswerRefused, check_answer
from node.serving.dispatcher import Dispatcher
from node.serving.live import Finished, LiveAnswer, Token
from node.serving.model import AUTO, Catalog, ServedModel
from node.serving.order import Order
from node.serving.provenance import Provenance
from node.serving.retriever import Retriever
from node.store.jobs import JobStore, StoredJob
from node.store.receipts import StoredReceipt
from protocol.hashing import Keccak
from protocol.pricing import price
from protocol.receipt import output_root, prompt_digest, request_id
from protocol.rewards import stakers_account
from protocol.sampling import Sampling, sampling_digest
from protocol.types import Address
from protocol.wire import GenerateResult

log = get_logger("pipeline")


@dataclass(frozen=True)
class InferenceRequest:
    """One request whose types, ranges and sizes have been checked. Exactly one of `messages` and `prompt`
    is set.

    `body_digest` is the sha256 of the canonical body: with it a reused idempotency key is told from a
    repeated one. `max_price` (wei) is the most that the client will pay, None for no limit of its own.
    `retrieve` is how many rows of the model's Datanet may be put into the prompt.
    """

    model: str
    messages: tuple[tuple[str, str], ...] | None
    prompt: str | None
    max_tokens: int
    sampling: Sampling
    idempotency_key: str | None
    body_digest: bytes
    api_key: str | None
    voucher: SignedVoucher | None
    max_price: int | None = None
    retrieve: int = 0

    @property
    def order(self) -> Order:
        """What of it a worker gets to see."""
        return Order(self.messages, self.prompt, self.max_tokens, self.sampling)


@dataclass(frozen=True)
class Admission:
    """A request that the node has agreed to serve, with its worst-case price reserved. `chosen` says why
    the node took this model, empty where the client named it; `retrieved` are the rows in the prompt.
    """

    request_id: bytes
    model: str
    created: int
    chosen: str = ""
    retrieved: tuple[int, ...] = ()


class Pipeline:
    """Serves paid requests of one node. Use from a single event loop."""

    def __init__(
        self,
        catalog: Catalog,
        provenance: Provenance,
        admissions: Admissions,
        retriever: Retriever,
        dispatcher: Dispatcher,
        attributor: Attributor,
        versions: Versions,
        parameters: ParameterMirror,
        issuer: Issuer,
        vouchers: Vouchers,
        jobs: JobStore,
        node: Address,
        keccak: Keccak,
        clock: Callable[[], int],
        metrics: Registry,
    ) -> None:
        self._catalog = catalog
        self._provenance = provenance
        self._admissions = admissions
        self._retriever = retriever
        self._dispatcher = dispatcher
        self._attributor = attributor
        self._versions = versions
        self._parameters = parameters
        self._issuer = issuer
        self._vouchers = vouchers
        self._jobs = jobs
        self._node = node
        self._stakers = stakers_account(node, keccak)
        self._keccak = keccak
        self._clock = clock
        self._answers = metrics.counter("openledger_answers_total", "Paid requests by outcome.")
        self._output = metrics.counter("openledger_output_tokens_total", "Output tokens of complete answers.")
        self._receipts = metrics.counter("openledger_receipts_total", "Receipts signed.")
        self._live: dict[bytes, LiveAnswer] = {}
        self._tasks: dict[bytes, asyncio.Task[None]] = {}

    async def admit(self, request: InferenceRequest) -> Admission:
        """Agree to serve a request, and begin. Raises an error of `node.errors` where it will not be
        served; then nothing is charged. A repeated idempotency key is admitted again and costs nothing
        more.
        """
        payer = await asyncio.to_thread(self._admissions.identify, request.api_key, request.voucher)
        key = request.idempotency_key or secrets.token_urlsafe(32)
        job_id = request_id(payer.channel.channel_id, key, self._keccak)
        known = self._jobs.find_same(job_id, request.body_digest)
        if known is None or known.state == "abandoned":
            try:
                self._begin(await self._record(job_id, key, payer, request, known))
            except Conflict:
                # The client repeated itself faster than we recorded the first try: it joins that one.
                if not self._is_served(job_id, request.body_digest):
                    raise
        job = self._jobs.get(job_id)
        model = ServedModel.from_json(job.model_json)
        rows = tuple(row.row for row in Order.from_json(job.order_json).context)
        return Admission(job_id, model.name, job.requested_at, model.chosen, rows)

    async def _record(
        self, job_id: bytes, key: str, payer: Payer, request: InferenceRequest, abandoned: StoredJob | None
    ) -> StoredJob:
        """The first durable step: the job, with its worst-case price reserved."""
        model = await asyncio.to_thread(self._find, request)
        await asyncio.to_thread(self._check_payable, model)
        order = await asyncio.to_thread(self._with_rows, request, model)
        prompt_tokens = await self._dispatcher.count_tokens(model, order)
        parameters = await asyncio.to_thread(self._parameters.current)
        job = StoredJob(
            request_id=job_id,
            channel_id=payer.channel.channel_id,
            idempotency_key=key,
            body_digest=request.body_digest,
            session_id=payer.session_id,
            order_json=order.to_json(),
            model_json=model.to_json(),
            prompt_salt=secrets.token_bytes(32) if abandoned is None else abandoned.prompt_salt,
            reserved=price(prompt_tokens, request.max_tokens, model.rates),
            requested_at=self._clock(),
            parameters_version=parameters.version,
        )
        await asyncio.to_thread(self._admissions.admit, job, payer, request.max_price, abandoned is not None)
        failpoint("job.recorded")
        return job

    def _find(self, request: InferenceRequest) -> ServedModel:
        if request.model == AUTO:
            return self._catalog.choose(request.order.question)
        return self._catalog.find(request.model)

    def _with_rows(self, request: InferenceRequest, model: ServedModel) -> Order:
        """What is asked, with the rows that were asked for before it. Once recorded they stay the same."""
        if not request.retrieve:
            return request.order
        rows = self._retriever.find(model, request.order.question, request.retrieve)
        return replace(request.order, context=rows)

    def _is_served(self, job_id: bytes, body_digest: bytes) -> bool:
        known = self._jobs.find_same(job_id, body_digest)
        return known is not None and known.state != "abandoned"

    def _check_payable(self, model: ServedModel) -> None:
        """Refuse work for which nobody could be paid rightly: the manifest must be here, and be the
        published one.
        """
        self._provenance.check(model)
        if model.manifest_cid is not None:
            self._versions.version(model.manifest_cid)

    async def stream(self, admission: Admission) -> AsyncGenerator[Token | Finished, None]:
        """The answer, token by token, ending with one `Finished`: live, or as it was recorded.

        Closing it early stops no generation: that belongs to the request, and is there for whoever repeats
        it.
        """
        live = self._live.get(admission.request_id)
        source = live.follow() if live is not None else self._replay(admission.request_id)
        async with aclosing(source) as events:
            async for event in events:
                yield event

    async def settled(self, job_id: bytes) -> StoredReceipt | None:
        """Wait for the background work of a request; its receipt, or None where it was given up."""
        task = self._tasks.get(job_id)
        if task is not None:
            await asyncio.wait([task])
        return self._issuer.find(job_id)

    async def recover(self) -> None:
        """Take up what an earlier process left: complete every answered request, give up every other one."""
        for job in self._jobs.in_state("accepted"):
            self._jobs.abandon(job.request_id, "the node stopped before the answer was complete")
            log.info("job_abandoned", request_id=job.request_id.hex())
        await self.resume()

    async def resume(self) -> None:
        """Carry every answered request on to its signed receipt and voucher. Safe to call at any time."""
        unfinished = [job.request_id for job in self._jobs.in_state("answered")]
        for job_id in (*unfinished, *self._issuer.unsigned()):
            if job_id not in self._tasks:
                self._spawn(job_id, self._complete(job_id))
        await asyncio.to_thread(self._vouchers.sign_outstanding)

    async def close(self) -> None:
        """Stop. Generations under way are given up, uncharged; what comes after an answer resumes at the
        next start.
        """
        tasks = tuple(self._tasks.values())
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)

    def _begin(self, job: StoredJob) -> None:
        self._live[job.request_id] = LiveAnswer()
        self._spawn(job.request_id, self._serve(job))

    async def _serve(self, job: StoredJob) -> None:
        live = self._live[job.request_id]
        try:
            finished = await self._generate(job, live)
            live.finish(finished)
            self._answers.add(outcome="answered")
            self._output.add(finished.output_tokens)
        except BaseException as error:
            # Whatever ended it, nobody pays for half an answer.
            self._jobs.abandon(job.request_id, f"{type(error).__name__}: {error}")
            live.finish(error)
            self._answers.add(outcome="given_up")
            raise
        finally:
            del self._live[job.request_id]
        await self._complete(job.request_id)

    async def _generate(self, job: StoredJob, live: LiveAnswer) -> Finished:
        """Stream the answer from a worker, and persist it whole before its end is told to anyone."""
        model, order = ServedModel.from_json(job.model_json), Order.from_json(job.order_json)
        tokens: list[Token] = []
        asked = self._dispatcher.generate(job.request_id, job.channel_id, model, order)
        async with aclosing(asked) as events:
            async for fence, event in events:
                if isinstance(event, GenerateResult):
                    answer = Answer(tuple(tokens), event)
                    check_answer(answer, order, model.rates, job.reserved)
                    self._jobs.answer(job.request_id, fence, answer.to_json())
                    failpoint("result.persisted")
                    return answer.finished(model.rates)
                tokens.append(Token(event.text, event.id, event.scores))
                live.append(tokens[-1])
                failpoint("generate.midstream")
        raise AnswerRefused("the worker ended the answer without a result")

    async def _complete(self, job_id: bytes) -> None:
        """From a persisted answer to a signed receipt and, where a session key pays, its voucher.
        Repeatable.
        """
        job = self._jobs.get(job_id)
        if job.state == "answered":
            draft = await self._attribute(job)
            failpoint("attribution.done")
            await asyncio.to_thread(self._issuer.record, draft)
        receipt = await asyncio.to_thread(self._issuer.sign, job_id)
        self._receipts.add()
        log.info("receipt_signed", request_id=job_id.hex(), seq=receipt.seq, price=receipt.price)
        if job.session_id is not None:
            await asyncio.to_thread(self._vouchers.sign_for, job.session_id)

    async def _attribute(self, job: StoredJob) -> Draft:
        """Everything that the receipt will say, from the persisted answer and the worker's evidence."""
        model, answer = ServedModel.from_json(job.model_json), Answer.from_json(job.result_json or "")
        order, result = Order.from_json(job.order_json), answer.result
        sampling = sampling_digest(order.sampling, order.max_tokens, self._keccak)
        parameters = await asyncio.to_thread(self._parameters.at, job.parameters_version)
        attribution = await self._attributor.attribute(
            job.request_id, job.fence, model, result, parameters.lane_weights
        )
        version = None if model.manifest_cid is None else self._versions.version(model.manifest_cid)
        treasury = await asyncio.to_thread(self._parameters.treasury_at, job.parameters_version)
        return Draft(
            request_id=job.request_id,
            channel_id=job.channel_id,
            model_id=model.model_id,
            datanet_version_key=model.datanet_version_key,
            prompt_digest=prompt_digest(result.prompt_ids, sampling, job.prompt_salt, self._keccak),
            output_root=output_root(result.output_ids, self._keccak),
            profile_id=result.profile_id,
            prompt_tokens=len(result.prompt_ids),
            output_tokens=len(result.output_ids),
            price=answer.price(model.rates),
            requested_at=job.requested_at,
            report=attribution.report,
            terms=terms_of(model, version, self._node, self._stakers, treasury),
            parameters=parameters,
            evidence=attribution.evidence,
        )

    async def _replay(self, job_id: bytes) -> AsyncGenerator[Token | Finished, None]:
        job = self._jobs.get(job_id)
        if job.result_json is None:
            raise AnswerRefused("the request was given up and not charged; repeat it", reason=job.failure)
        answer = Answer.from_json(job.result_json)
        for token in answer.tokens:
            yield token
        yield answer.finished(ServedModel.from_json(job.model_json).rates)

    def _spawn(self, job_id: bytes, work: Coroutine[Any, Any, None]) -> None:
        task = asyncio.create_task(work, name=f"job-{job_id.hex()[:12]}")
        self._tasks[job_id] = task
        task.add_done_callback(lambda done: self._forget(job_id, done))

    def _forget(self, job_id: bytes, task: asyncio.Task[None]) -> None:
        # A request that was given up may already be served again under the same id.
        if self._tasks.get(job_id) is task:
            del self._tasks[job_id]
        if not task.cancelled() and task.exception() is not None:
            log.error("job_failed", request_id=job_id.hex(), error=repr(task.exception()))
