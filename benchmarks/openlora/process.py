"""The parent's side of one engine's process: start it, ask, and learn in words why it did not answer."""

from __future__ import annotations

import json
import os
import selectors
import subprocess
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import IO, Any

from benchmarks.openlora.case import Case, Sample
from benchmarks.record import ROOT

_ENVIRONMENT = {
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "TOKENIZERS_PARALLELISM": "false",
    "HF_HUB_OFFLINE": "1",
    "TRANSFORMERS_OFFLINE": "1",
    # As a worker of ours sets it; any engine over torch has the same use of it.
    "THP_MEM_ALLOC_ENABLE": "1",
    "PYTHONPATH": str(ROOT),
}
_TAIL_CHARS = 400


class PeerFailed(Exception):
    """An engine did not do what it was asked; the text says which and why."""


@dataclass(frozen=True)
class Launch:
    """How to start one engine: its interpreter, its module in `peers`, and what it is told first."""

    name: str
    python: Path
    module: str
    options: Mapping[str, Any]
    environment: Mapping[str, str] = field(default_factory=dict)


class PeerProcess:
    """A running engine. One request at a time."""

    def __init__(self, launch: Launch, logs: Path) -> None:
        if not launch.python.exists():
            raise PeerFailed(_why_absent(launch.python))
        logs.mkdir(parents=True, exist_ok=True)
        self.name, self._log = launch.name, logs / f"{launch.name}.log"
        with self._log.open("w") as log:
            self._process = subprocess.Popen(
                [str(launch.python), "-m", "benchmarks.openlora.worker", launch.module],
                cwd=ROOT,
                env={**os.environ, **_ENVIRONMENT, **launch.environment},
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                # A keyboard interrupt is for the parent, which then closes the pipe.
                start_new_session=True,
            )

    def build(self, options: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        """Load the engine; returns its facts."""
        facts: dict[str, Any] = self._ask({"build": dict(options)}, timeout)["facts"]
        return facts

    def measure(self, case: Case, timeout: float) -> Sample:
        """Run one case."""
        return Sample.from_json(self._ask({"measure": case.to_json()}, timeout))

    def close(self) -> None:
        """End the process; it has nothing to save."""
        _pipe(self._process.stdin).close()
        try:
            self._process.wait(5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()

    def _ask(self, request: Mapping[str, Any], timeout: float) -> dict[str, Any]:
        try:
            pipe = _pipe(self._process.stdin)
            pipe.write(json.dumps(request) + "\n")
            pipe.flush()
        except (BrokenPipeError, ValueError) as error:
            raise PeerFailed(f"{self.name} has ended: {self._tail()}") from error
        reply: dict[str, Any] = json.loads(self._line(timeout))
        if "error" in reply:
            raise PeerFailed(f"{self.name}: {reply['error']}")
        return reply

    def _line(self, timeout: float) -> str:
        pipe, deadline = _pipe(self._process.stdout), time.monotonic() + timeout
        with selectors.DefaultSelector() as ready:
            ready.register(pipe, selectors.EVENT_READ)
            if not ready.select(max(0.0, deadline - time.monotonic())):
                self._process.kill()
                raise PeerFailed(f"{self.name} did not answer within {timeout:.0f} s")
        # The worker writes a whole line at once.
        line = pipe.readline()
        if not line:
            raise PeerFailed(f"{self.name} ended: {self._tail()}")
        return line

    def _tail(self) -> str:
        text = self._log.read_text(errors="replace").strip()
        return text[-_TAIL_CHARS:] or "without a word"


def _why_absent(python: Path) -> str:
    place = python.parent.parent
    failed = place.with_name(place.name + ".failed")
    if failed.is_file():
        return f"its installation failed: {' '.join(failed.read_text().split())[-_TAIL_CHARS:]}"
    return f"not installed; scripts/setup_peers.sh {place.name}"


def _pipe(pipe: IO[str] | None) -> IO[str]:
    assert pipe is not None
    return pipe
