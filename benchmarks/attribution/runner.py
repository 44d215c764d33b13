"""All retrainings of a set that are not there yet, by two processes of one thread each.

A killed run goes on where it stopped: what is done lies in files.
"""

from __future__ import annotations

import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from benchmarks.attribution.retrain import Job, is_done
from benchmarks.record import ROOT

PROCESSES = 2
Say = Callable[[str], None]


class WorkerEnded(Exception):
    """A retraining process ended before it had answered; the text says at which job."""


def run_jobs(jobs: Sequence[Job], task: Path, runs: Path, key: str, say: Say) -> int:
    """Run what is missing of `jobs`; returns how many ran."""
    runs.mkdir(parents=True, exist_ok=True)
    missing = [job for job in jobs if not is_done(runs / job.file_name, key)]
    waiting: queue.SimpleQueue[Job] = queue.SimpleQueue()
    for job in missing:
        waiting.put(job)
    progress = _Progress(len(missing), say)
    failures: list[BaseException] = []
    command = [sys.executable, "-m", "benchmarks.attribution.worker", str(task), str(runs), key]
    threads = [
        threading.Thread(target=_feed, args=(command, waiting, progress, failures))
        for _ in range(min(PROCESSES, len(missing)))
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if failures:
        raise failures[0]
    return len(missing)


class _Progress:
    """Counts finished jobs and says how long the others will take."""

    def __init__(self, total: int, say: Say) -> None:
        self._total, self._say, self._done = total, say, 0
        self._began, self._lock = time.monotonic(), threading.Lock()

    def finished(self, job: Job, seconds: float) -> None:
        with self._lock:
            self._done += 1
            left = (time.monotonic() - self._began) / self._done * (self._total - self._done)
            self._say(
                f"{job.kind} {job.number}: {seconds:.1f} s of CPU; "
                f"{self._done}/{self._total}, {left:.0f} s left"
            )


def _feed(
    command: Sequence[str],
    waiting: queue.SimpleQueue[Job],
    progress: _Progress,
    failures: list[BaseException],
) -> None:
    with subprocess.Popen(
        command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdin and process.stdout
        while not failures:
            try:
                job = waiting.get_nowait()
            except queue.Empty:
                return
            try:
                process.stdin.write(f"{job.kind} {job.number}\n")
                process.stdin.flush()
                progress.finished(job, float(process.stdout.readline()))
            except (OSError, ValueError) as error:
                failures.append(WorkerEnded(f"{job.kind} {job.number}: {error}"))
