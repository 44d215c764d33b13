"""What the routes speak to, and how they leave the event loop for it."""

from __future__ import annotations

from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Protocol

from aiohttp import web

from inference_worker.adapters.loader import AdapterLoader
from inference_worker.adapters.spelled_ensembles import SpelledEnsembles
from inference_worker.engine.backend import Backend
from inference_worker.engine.prompt import PromptEncoder
from inference_worker.engine.sampling_rules import SamplingRules
from inference_worker.metrics import Metrics
from inference_worker.routes.fences import Fences
from inference_worker.routes.turns import Turns
from inference_worker.routes.turns import in_thread as in_thread
from protocol.wire import (
    AttributeRequest,
    AttributeResult,
    BaseInfo,
    JobSpec,
    JobStatus,
    RowsRequest,
    RowsResult,
)


class Attributor(Protocol):
    """Finds the sources of an answer; may block for seconds."""

    def attribute(self, request: AttributeRequest) -> AttributeResult: ...
    def recheck(self, request: RowsRequest) -> RowsResult: ...


class Jobs(Protocol):
    """Training and evaluation; calls return at once, the work runs elsewhere."""

    def start(self) -> None: ...
    def close(self) -> None: ...
    def submit(self, spec: JobSpec) -> JobStatus: ...
    def status(self, job_id: str) -> JobStatus: ...
    def statuses(self) -> list[JobStatus]: ...
    def cancel(self, job_id: str) -> JobStatus: ...


@dataclass(frozen=True)
class Services:
    """Everything the routes speak to.

    The thread pools are two, so that attribution holds up neither tokenising nor health; the loader has its
    own.
    """

    token: str
    base: BaseInfo
    profile_id: str
    prompts: PromptEncoder
    sampling: SamplingRules
    loader: AdapterLoader
    ensembles: SpelledEnsembles
    engine: Backend
    attributor: Attributor
    jobs: Jobs
    quick: Executor
    attributing: Turns
    fences: Fences
    metrics: Metrics


SERVICES = web.AppKey("services", Services)
