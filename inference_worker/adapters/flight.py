"""One load in progress, and what it works with."""

from __future__ import annotations

import threading
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Protocol

from inference_worker.adapters.disk import DiskTier
from inference_worker.adapters.failures import FailureBook
from inference_worker.adapters.host import HostTier
from inference_worker.adapters.packer import Loaded
from inference_worker.adapters.packing import PackedAdapter
from inference_worker.blobs.abort import Abort
from inference_worker.errors import WorkerError


class AdapterBroken(WorkerError):
    """Loading failed in a way that is a fault of ours."""

    code = "adapter_load_failed"

    def __init__(self, cid: str, reason: str) -> None:
        super().__init__(f"adapter {cid} could not be loaded: {reason}")
        self.cid, self.reason = cid, reason


class Source(Protocol):
    """Where an adapter comes from when no tier has it."""

    def load(self, cid: str, abort: Abort) -> Loaded:
        """Raises AdapterRefused for its bytes, WorkerError for the way."""
        ...


@dataclass(frozen=True)
class Tiers:
    """What the loads and their owner share; `lock` guards `host` and `failures`."""

    lock: threading.Lock
    host: HostTier
    disk: DiskTier
    failures: FailureBook


@dataclass
class Flight:
    """One load in progress and who waits for it."""

    cid: str
    abort: Abort = field(default_factory=Abort)
    waiters: list[Future[PackedAdapter]] = field(default_factory=list)
    fetching: bool = False
