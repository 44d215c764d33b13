"""Drives vLLM like our own engine: jobs in, events out. One thread with an event loop owns the process.

One NaN ends the process, for its memory hands it on to later rows of anybody; who made it is found out in
the next one, before it serves.
"""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable
from contextlib import suppress
from functools import partial

import structlog

from inference_worker.adapters.refusals import AdapterRefused
from inference_worker.engine.backend import EngineLoad
from inference_worker.engine.job import GenerationJob
from inference_worker.engine.scheduler import EngineBusy, EngineStopping, RequestTooLong
from inference_worker.engine.sequence import Event, Failed, Finished
from inference_worker.errors import BackendUnavailable, WorkerError
from inference_worker.metrics import Metrics
from inference_worker.vllm.answerer import Answerer
from inference_worker.vllm.client import VllmClient
from inference_worker.vllm.folders import check_adapter
from inference_worker.vllm.process import VllmProcess
from inference_worker.vllm.registry import Registry
from inference_worker.vllm.reply import ReplyNotFinite
from inference_worker.vllm.request import check_params
from inference_worker.vllm.suspects import BESIDE, Suspects

log = structlog.get_logger()


class VllmEngine:
    """At most `at_once` jobs; vLLM itself lines up what does not fit its batch."""

    def __init__(
        self,
        process: VllmProcess,
        client: VllmClient,
        registry: Registry,
        answerer: Answerer,
        at_once: int,
        on_broken: Callable[[str, AdapterRefused], None],
        metrics: Metrics,
    ) -> None:
        self._process, self._client, self._registry = process, client, registry
        self._answerer, self._at_once = answerer, at_once
        self._metrics = metrics
        self._wake = threading.Condition()
        self._jobs: dict[int, asyncio.Task[Event] | None] = {}
        self._suspects = Suspects(answerer.breaks, on_broken)
        self._next, self._serving, self._closing = 0, False, False
        self._failure: BaseException | None = None
        self._stop = asyncio.Event()
        self._thread = threading.Thread(target=self._main, name="vllm", daemon=True)

    def start(self) -> None:
        """Start vLLM and return when it serves; raises BackendUnavailable."""
        self._loop = asyncio.new_event_loop()
        self._thread.start()
        with self._wake:
            self._wake.wait_for(lambda: self._serving or self._closing)
        if self._failure is not None:
            raise self._failure

    def submit(self, job: GenerationJob) -> int:
        """Take a job; raises RequestInvalid, NotForVllm, RequestTooLong, EngineBusy, EngineStopping,
        BackendUnavailable."""
        launch = self._process.launch
        check_params(job.params)
        if job.adapter is not None:
            check_adapter(job.adapter, launch.rank)
        reserved = len(job.prompt_ids) + job.params.max_tokens
        if reserved > launch.positions:
            raise RequestTooLong(reserved, launch.positions)
        with self._wake:
            if self._closing:
                raise EngineStopping
            if len(self._jobs) >= self._at_once:
                raise EngineBusy(len(self._jobs))
            if not self._serving:
                raise BackendUnavailable("it is being started again; ask again in a minute")
            sequence, self._next = self._next, self._next + 1
            self._jobs[sequence] = None
            self._loop.call_soon_threadsafe(self._begin, sequence, job)
        return sequence

    def cancel(self, sequence: int) -> None:
        """End a job without a further event; unknown or finished ones are ignored."""
        with self._wake:
            if sequence in self._jobs:
                self._loop.call_soon_threadsafe(self._cut, sequence)

    def close(self, drain_seconds: float) -> bool:
        """Refuse new jobs, let the running ones end, then stop vLLM; True if all ended in time."""
        with self._wake:
            self._closing = True
            drained = self._wake.wait_for(lambda: not self._jobs, drain_seconds)
        # It may have ended by itself, and its loop with it.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join()
        return drained

    def load(self) -> EngineLoad:
        """A snapshot: what vLLM runs and what it has in line are one to us."""
        with self._wake:
            return EngineLoad(len(self._jobs), 0, 0, 0, self._closing)

    def wait(self) -> None:
        """Return when vLLM is gone for good."""
        self._thread.join()

    def _main(self) -> None:
        with asyncio.Runner(loop_factory=lambda: self._loop) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        async with self._client:
            keeping = asyncio.create_task(self._keep_alive())
            stopping = asyncio.create_task(self._stop.wait())
            await asyncio.wait({keeping, stopping}, return_when=asyncio.FIRST_COMPLETED)
            failure = keeping.exception() if keeping.done() else None
            if failure is not None:
                log.error("vllm_gone", reason=str(failure))
            with self._wake:
                self._failure, self._closing, self._serving = failure, True, False
                left = [task for task in self._jobs.values() if task is not None]
            for task in (*left, keeping, stopping):
                task.cancel()
            await asyncio.gather(*left, keeping, stopping, return_exceptions=True)
            await self._process.stop()
        with self._wake:
            self._wake.notify_all()

    async def _keep_alive(self) -> None:
        while True:
            await self._process.start(self._client)
            await self._registry.begin()
            if await self._suspects.examine():
                self._process.kill()
            else:
                self._set_serving(True)
            code = await self._process.wait()
            self._set_serving(False)
            self._metrics.count("backend_restarts_total")
            log.warning("vllm_ended", code=code)

    def _set_serving(self, serving: bool) -> None:
        with self._wake:
            self._serving = serving
            self._wake.notify_all()

    def _begin(self, sequence: int, job: GenerationJob) -> None:
        task = self._loop.create_task(self._run(job))
        with self._wake:
            self._jobs[sequence] = task
        task.add_done_callback(partial(self._end, sequence, job))

    def _cut(self, sequence: int) -> None:
        task = self._jobs.get(sequence)
        if task is not None:
            task.cancel()

    async def _run(self, job: GenerationJob) -> Event:
        output: list[int] = []
        process = self._process.pid
        try:
            return await self._answerer.answer(job, output)
        except ReplyNotFinite as error:
            log.error("vllm_not_finite", adapter=job.adapter.cid if job.adapter else None, reason=str(error))
            return await self._suspect(job, tuple(output), process)
        except WorkerError as error:
            return Failed(error.code, str(error))
        except Exception as error:  # the loop outlives any job; its client is told
            log.exception("vllm_job_failed")
            return Failed("internal_error", f"{type(error).__name__}: {error}")

    async def _suspect(self, job: GenerationJob, output: tuple[int, ...], process: int | None) -> Event:
        if process is None or self._process.pid != process:
            # A late line of a process that is gone: its successor may serve already, and is sound.
            return BESIDE
        self._set_serving(False)
        self._process.kill()
        return await self._suspects.verdict(job, output)

    def _end(self, sequence: int, job: GenerationJob, task: asyncio.Task[Event]) -> None:
        event: Event | None = None
        if not task.cancelled():
            event = task.result()
        elif self._stop.is_set() or self._failure is not None:
            event = EngineStopping.failure()
        if event is not None:
            job.emit(event)
        job.on_closed()
        self._metrics.count("sequences_total", outcome=_outcome(event))
        with self._wake:
            del self._jobs[sequence]
            self._wake.notify_all()


def _outcome(event: Event | None) -> str:
    if isinstance(event, Finished):
        return event.finish_reason
    return event.code if isinstance(event, Failed) else "cancelled"
