"""Which worker does what: by capability first, then residency, then load; each assignment fenced.

A worker that holds another base model is never asked. A result is taken only from the newest assignment of
its job, so that a worker presumed dead cannot answer late.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Protocol

from node.errors import IntegrityError, Unavailable, WorkerUnreachable
from node.log import get_logger
from node.serving.model import ServedModel
from node.serving.order import Order
from node.store.jobs import JobStore
from protocol.wire import (
    AttributeRequest,
    AttributeResult,
    GenerateRequest,
    GenerateResult,
    TokenEvent,
    WorkerHealth,
)

log = get_logger("dispatcher")

HEALTH_SECONDS = 2.0


class NoCapableWorker(Unavailable):
    """No worker that answers holds the model's base."""


class Worker(Protocol):
    """What the dispatcher needs of a worker; `WorkerClient` is the one over HTTP."""

    async def health(self) -> WorkerHealth: ...
    async def tokenize(self, order: Order) -> tuple[int, ...]: ...
    def generate(self, request: GenerateRequest) -> AsyncGenerator[TokenEvent | GenerateResult, None]: ...
    async def attribute(self, request: AttributeRequest) -> AttributeResult: ...


@dataclass
class _Member:
    worker: Worker
    health: WorkerHealth | None = None
    checked_at: float = float("-inf")
    in_flight: int = 0
    lock: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def current_health(self) -> WorkerHealth | None:
        """The worker's health, at most HEALTH_SECONDS old; None while it does not answer."""
        async with self.lock:
            now = asyncio.get_running_loop().time()
            if self.health is None or now - self.checked_at > HEALTH_SECONDS:
                try:
                    self.health = await self.worker.health()
                except (Unavailable, IntegrityError) as error:
                    log.warning("worker_not_healthy", error=str(error))
                    self.health = None
                self.checked_at = now
            return self.health


@dataclass(frozen=True)
class Candidate:
    """One worker as the choice sees it."""

    fingerprint: str
    resident: frozenset[str]
    in_flight: int


def choose(candidates: Sequence[Candidate | None], model: ServedModel) -> int | None:
    """The index of the best capable candidate: adapter resident first, then least loaded, then lowest
    index.
    """
    capable = [
        (model.adapter_cid is not None and model.adapter_cid not in one.resident, one.in_flight, index)
        for index, one in enumerate(candidates)
        if one is not None and one.fingerprint == model.base_fingerprint
    ]
    return min(capable)[2] if capable else None


class Dispatcher:
    """Hands work to workers and takes their results back."""

    def __init__(self, workers: Sequence[Worker], jobs: JobStore) -> None:
        self._members = tuple(_Member(worker) for worker in workers)
        self._jobs = jobs

    async def health(self) -> tuple[WorkerHealth | None, ...]:
        """Each worker's health, None for one that does not answer."""
        return tuple([await member.current_health() for member in self._members])

    async def count_tokens(self, model: ServedModel, order: Order) -> int:
        """How many prompt tokens the order makes, by the model's own tokenizer and template."""
        member = await self._choose(model)
        return len(await member.worker.tokenize(order))

    async def generate(
        self, request_id: bytes, tenant: bytes, model: ServedModel, order: Order
    ) -> AsyncGenerator[tuple[int, TokenEvent | GenerateResult], None]:
        """Each event of a new assignment with its fencing token; the last one is the result.

        Assignments of one `tenant` share its turn at the worker.
        Raises what the worker raised, and StaleFence as soon as a newer assignment exists.
        """
        member = await self._choose(model)
        fence = self._jobs.next_fence(request_id)
        request = GenerateRequest(
            request_id="0x" + request_id.hex(),
            fence=fence,
            adapter_cid=model.adapter_cid,
            messages=order.messages,
            prompt=order.prompt,
            prompt_ids=None,
            max_tokens=order.max_tokens,
            sampling=order.sampling,
            tenant="0x" + tenant.hex(),
            context=order.context,
        )
        member.in_flight += 1
        try:
            async with aclosing(member.worker.generate(request)) as events:
                async for event in events:
                    self._jobs.check_fence(request_id, fence)
                    yield fence, event
        except WorkerUnreachable:
            member.health = None
            raise
        finally:
            member.in_flight -= 1

    async def attribute(self, model: ServedModel, request: AttributeRequest) -> AttributeResult:
        """Ask once. Attribution only reads, so that the caller may ask again after a failure."""
        member = await self._choose(model)
        try:
            return await member.worker.attribute(request)
        except WorkerUnreachable:
            member.health = None
            raise

    async def _choose(self, model: ServedModel) -> _Member:
        healths = [await member.current_health() for member in self._members]
        index = choose(
            [
                None if health is None else _candidate(health, member.in_flight)
                for health, member in zip(healths, self._members, strict=True)
            ],
            model,
        )
        if index is None:
            raise NoCapableWorker(
                "no worker holds the model's base",
                base_fingerprint=model.base_fingerprint,
                answering=sum(health is not None for health in healths),
            )
        return self._members[index]


def _candidate(health: WorkerHealth, in_flight: int) -> Candidate:
    resident = frozenset(adapter.cid for adapter in health.adapters if adapter.state == "resident")
    return Candidate(health.base.fingerprint, resident, in_flight)
