"""Attribution in a process of its own: gradients, scans and span indexes never hold up the step loop.

It loads the base itself, from the mapped file that the engine reads too, and answers one request at a time.
Whatever a request does to it, the streams go on: a process that dies costs that request, whose asker is told
to ask again, and the next finds another process.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TypeVar

import structlog
import torch

from inference_worker.attribution.service import AttributionService
from inference_worker.base.load import load_base
from inference_worker.blobs.node_blobs import NodeBlobs
from inference_worker.errors import WorkerError
from inference_worker.log import log_to_stderr
from inference_worker.lone_process import LoneProcess, ProcessDied
from protocol.errors import ProtocolError
from protocol.wire import AttributeRequest, AttributeResult, RowsRequest, RowsResult

log = structlog.get_logger()

R = TypeVar("R")
T = TypeVar("T")

# A first answer may wait for a version's span index; beyond this it hangs, and is ended.
PATIENCE_SECONDS = 1800.0


class AttributionProcessDied(WorkerError):
    """The process ended while it attributed."""

    code = "attribution_process_died"

    def __init__(self, request_id: str, reason: str) -> None:
        super().__init__(f"the process that attributes had {request_id}: {reason}; ask again")
        self.request_id, self.reason = request_id, reason


class PublicDataUnreadable(WorkerError):
    """What the node handed over for an answer is not what its kind must be."""

    code = "public_data_unreadable"


@dataclass(frozen=True)
class AttributionSettings:
    """Where the process finds the base, the node and its token; below `data` it keeps indexes."""

    base: Path
    node_socket: Path
    token_file: Path
    data: Path
    threads: int


class AttributionProcess:
    """Attributes in another process, which begins at once and loads the base with its first request."""

    def __init__(self, settings: AttributionSettings, patience: float = PATIENCE_SECONDS) -> None:
        self._settings = settings
        self._patience = patience
        self._apart = LoneProcess("spawn", _prepare, settings.threads)

    def attribute(self, request: AttributeRequest) -> AttributeResult:
        """The lanes asked for. Raises as `AttributionService.attribute`, and AttributionProcessDied."""
        return self._ask(request.request_id, _attribute, request)

    def recheck(self, request: RowsRequest) -> RowsResult:
        """Rows' signs computed anew. Raises as `attribute`."""
        return self._ask(f"rows of {request.index_cid}", _recheck, request)

    def _ask(self, name: str, call: Callable[[AttributionSettings, R], T], request: R) -> T:
        try:
            return self._apart.run(call, self._settings, request, seconds=self._patience)
        except ProcessDied as error:
            log.error("attribution_process_died", request_id=name, reason=str(error))
            raise AttributionProcessDied(name, str(error)) from error

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._apart.pid

    def close(self) -> None:
        """End the process at once: attribution only reads, and whoever asked asks again."""
        self._apart.kill()


def _prepare(threads: int) -> None:
    log_to_stderr()
    torch.set_num_threads(threads)


@cache
def _service(settings: AttributionSettings) -> AttributionService:
    token = settings.token_file.read_text(encoding="utf-8").strip()
    base = load_base(settings.base)
    log.info("attribution_ready", base=base.name, threads=torch.get_num_threads())
    blobs = NodeBlobs(str(settings.node_socket), token)
    return AttributionService(base, blobs, settings.data / "indexes", settings.data / "spans")


def _attribute(settings: AttributionSettings, request: AttributeRequest) -> AttributeResult:
    with _readable():
        return _service(settings).attribute(request)


def _recheck(settings: AttributionSettings, request: RowsRequest) -> RowsResult:
    with _readable():
        return _service(settings).recheck(request)


@contextmanager
def _readable() -> Iterator[None]:
    try:
        yield
    except ProtocolError as error:
        # Its values do not cross between processes.
        raise PublicDataUnreadable(f"{type(error).__name__}: {error}") from error
