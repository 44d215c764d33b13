"""Who made a NaN: the jobs that showed one, and their trial in a vLLM where nothing else runs.

Keys and values of a NaN lie in memory that others get later, so whoever shows one need not have made it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from inference_worker.adapters.refusals import AdapterRefused, BrokeWhileServing
from inference_worker.engine.job import GenerationJob
from inference_worker.engine.sequence import Event, Failed
from inference_worker.errors import BackendUnavailable

BESIDE = Failed(BackendUnavailable.code, "vLLM broke beside this request; ask again")


@dataclass(frozen=True)
class _Suspect:
    """A job whose answer showed a NaN after `output`."""

    job: GenerationJob
    output: tuple[int, ...]
    verdict: asyncio.Future[Event]

    @property
    def cid(self) -> str | None:
        return self.job.adapter.cid if self.job.adapter else None


class Suspects:
    """`breaks` runs a job alone and tells whether it shows a NaN; `on_broken` hears of each guilty
    adapter."""

    def __init__(
        self,
        breaks: Callable[[GenerationJob, tuple[int, ...]], Awaitable[bool]],
        on_broken: Callable[[str, AdapterRefused], None],
    ) -> None:
        self._breaks, self._on_broken = breaks, on_broken
        self._waiting: list[_Suspect] = []

    async def verdict(self, job: GenerationJob, output: tuple[int, ...]) -> Event:
        """How a job ends that showed a NaN; known after its trial."""
        suspect = _Suspect(job, output, asyncio.get_running_loop().create_future())
        self._waiting.append(suspect)
        return await suspect.verdict

    async def examine(self) -> bool:
        """Try one after the other; True at the first that breaks this vLLM as well, which is then spoilt."""
        while self._waiting:
            suspect = self._waiting.pop()
            if await self._breaks(suspect.job, suspect.output):
                self._condemn(suspect)
                return True
            _tell(suspect, BESIDE)
        return False

    def _condemn(self, guilty: _Suspect) -> None:
        adapter, event = guilty.job.adapter, Failed("base_not_finite", "the base produced a NaN")
        if adapter is not None:
            refusal = BrokeWhileServing(adapter.cid)
            self._on_broken(adapter.cid, refusal)
            event = Failed(refusal.code, str(refusal))
        same = [one for one in self._waiting if one.cid == guilty.cid]
        self._waiting = [one for one in self._waiting if one.cid != guilty.cid]
        for one in (guilty, *same):
            _tell(one, event)


def _tell(suspect: _Suspect, event: Event) -> None:
    # Its client may have left meanwhile.
    if not suspect.verdict.done():
        suspect.verdict.set_result(event)
