"""What each adapter has cost and done: bytes and time of its loads, tokens and time of its answers.

Torch-free. Bounded: beyond the bound the adapter that was least recently used is forgotten, which loses its
figures and nothing else. Any thread may write.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

MAX_ENTRIES = 16_384
# The base itself, which is no adapter; no content id is spelled so.
BASE = "base"


@dataclass(frozen=True)
class Use:
    """Sums since the worker started. Times of loads and answers in microseconds of the clock on the wall;
    answers that run side by side each count whole. `step_microseconds` and `load_cpu_microseconds` are of the
    processor, and divided: what all adapters have of it is what was measured. `last_used` is in unix seconds,
    0 for never.
    """

    last_used: int = 0
    answers: int = 0
    prompt_tokens: int = 0
    output_tokens: int = 0
    answer_microseconds: int = 0
    loads: int = 0
    moved_bytes: int = 0
    load_microseconds: int = 0
    step_microseconds: int = 0
    load_cpu_microseconds: int = 0


UNUSED = Use()


class UsageBook:
    """One `Use` for each adapter, the least recently written first; `clock` gives unix seconds."""

    def __init__(self, clock: Callable[[], float], max_entries: int = MAX_ENTRIES) -> None:
        self._clock, self._max = clock, max_entries
        self._lock = threading.Lock()
        self._uses: OrderedDict[str, Use] = OrderedDict()

    def load(self, cid: str, nbytes: int, seconds: float, cpu_seconds: float = 0.0) -> None:
        """An adapter was brought to memory from a tier below."""
        with self._lock:
            use = self._uses.pop(cid, UNUSED)
            self._put(
                cid,
                replace(
                    use,
                    loads=use.loads + 1,
                    moved_bytes=use.moved_bytes + nbytes,
                    load_microseconds=use.load_microseconds + round(seconds * 1e6),
                    load_cpu_microseconds=use.load_cpu_microseconds + round(cpu_seconds * 1e6),
                ),
            )

    def answer(self, cid: str, prompt_tokens: int, output_tokens: int, seconds: float) -> None:
        """An answer ended, wherever it ended; its tokens are those that were run."""
        with self._lock:
            use = self._uses.pop(cid, UNUSED)
            self._put(
                cid,
                replace(
                    use,
                    last_used=int(self._clock()),
                    answers=use.answers + 1,
                    prompt_tokens=use.prompt_tokens + prompt_tokens,
                    output_tokens=use.output_tokens + output_tokens,
                    answer_microseconds=use.answer_microseconds + round(seconds * 1e6),
                ),
            )

    def steps(self, cid: str | None, microseconds: int) -> None:
        """A sequence of an adapter, or of the base (None), had so much of the steps' time."""
        with self._lock:
            use = self._uses.pop(cid or BASE, UNUSED)
            self._put(cid or BASE, replace(use, step_microseconds=use.step_microseconds + microseconds))

    def uses(self) -> Mapping[str, Use]:
        """A copy."""
        with self._lock:
            return dict(self._uses)

    def _put(self, cid: str, use: Use) -> None:
        self._uses[cid] = use
        if len(self._uses) > self._max:
            self._uses.popitem(last=False)
