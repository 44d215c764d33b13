"""The queue of training and evaluation jobs: one at a time, each in its own killable process.

The server stays responsive whatever a job does, and a job lives in its folder, not in this process: after a
crash of either, `start` finds what had not ended and runs it on.
"""

from __future__ import annotations

import os
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path

from inference_worker.errors import JobConflict, JobUnknown
from inference_worker.training.job_folder import JobFolder
from protocol.wire_jobs import JobSpec, JobStatus

MAX_ATTEMPTS = 3
NICENESS = 5
# Threads that wait must sleep: spinning ones cost a busy machine most of its speed.
ENVIRONMENT = {"HF_HUB_OFFLINE": "1", "OMP_WAIT_POLICY": "PASSIVE"}
TAIL_CHARS = 2000


class JobRunner:
    """Jobs under `data`/jobs. All methods may be called from any thread; only the runner's own thread
    waits.
    """

    def __init__(
        self, data: Path, base_dir: Path, node_socket: str, token_file: Path, threads: int = 0
    ) -> None:
        self._folder = data / "jobs"
        self._command = [
            sys.executable, "-m", "inference_worker.training",
            "--base", str(base_dir), "--node-socket", node_socket, "--token-file", str(token_file),
            "--threads", str(threads),
        ]  # fmt: skip
        self._wake = threading.Condition()
        self._queue: list[str] = []
        self._process: subprocess.Popen[bytes] | None = None
        self._closing = False
        self._thread = threading.Thread(target=self._serve, name="jobs", daemon=True)

    def start(self) -> None:
        """Take up what had not ended, oldest first, and begin to serve."""
        self._folder.mkdir(parents=True, exist_ok=True)
        found = [JobFolder(p) for p in self._folder.iterdir() if JobFolder(p).exists()]
        waiting = [job for job in found if not job.ended()]
        self._queue = [
            j.path.name for j in sorted(waiting, key=lambda j: (j.path.stat().st_ctime_ns, j.path.name))
        ]
        self._thread.start()

    def submit(self, spec: JobSpec) -> JobStatus:
        """Queue a job. The same order again is answered with its status; JobConflict where the order
        differs or is stale.
        """
        with self._wake:
            job = JobFolder(self._folder / spec.job_id)
            if not job.exists():
                job.create(spec)
                self._queue.append(spec.job_id)
                self._wake.notify_all()
                return job.status()
            known = job.spec()
            if replace(known, fence=spec.fence).to_json() != spec.to_json():
                raise JobConflict(spec.job_id, "ordered before with another specification")
            if spec.fence < known.fence:
                raise JobConflict(spec.job_id, f"fencing token {spec.fence} is older than {known.fence}")
            if spec.fence > known.fence:
                job.renew(spec)
            return job.status()

    def status(self, job_id: str) -> JobStatus:
        """Where a job stands; JobUnknown when there is none."""
        return self._job(job_id).status()

    def statuses(self) -> list[JobStatus]:
        """All jobs known, by id."""
        found = sorted(p.name for p in self._folder.iterdir() if JobFolder(p).exists())
        return [JobFolder(self._folder / name).status() for name in found]

    def cancel(self, job_id: str) -> JobStatus:
        """Stop a job at its next step; an ended one stays as it is."""
        with self._wake:
            job = self._job(job_id)
            if not job.ended():
                job.cancel()
                if job_id in self._queue:
                    self._queue.remove(job_id)
                    job.finish("cancelled", "cancelled before it began")
            return job.status()

    def close(self) -> None:
        """Stop serving. A running job is ended hard; its folder lets the next `start` go on."""
        with self._wake:
            self._closing = True
            if self._process is not None:
                self._process.kill()
            self._wake.notify_all()
        if self._thread.is_alive():
            self._thread.join()

    def _job(self, job_id: str) -> JobFolder:
        job = JobFolder(self._folder / job_id)
        if "/" in job_id or not job.exists():
            raise JobUnknown(job_id)
        return job

    def _serve(self) -> None:
        while True:
            with self._wake:
                self._wake.wait_for(lambda: self._closing or self._queue)
                if self._closing:
                    return
                job = JobFolder(self._folder / self._queue.pop(0))
            self._run(job)

    def _run(self, job: JobFolder) -> None:
        for attempt in range(1, MAX_ATTEMPTS + 1):
            code = self._run_once(job)
            if self._closing or job.ended():
                return
            if job.is_cancelled():
                return job.finish("cancelled", "cancelled while its process was ending")
            if code >= 0:
                # It ended by itself without a verdict: running it again would end the same way.
                return job.finish("failed", f"exit code {code}: {self._tail(job)}")
            if attempt == MAX_ATTEMPTS:
                return job.finish("failed", f"killed by signal {-code}, {attempt} times")

    def _run_once(self, job: JobFolder) -> int:
        with (job.path / "log.txt").open("ab") as log:
            with self._wake:
                if self._closing:
                    return 0
                self._process = subprocess.Popen(
                    [*self._command, "--parent", str(os.getpid()), "--job", str(job.path)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    env={**os.environ, **ENVIRONMENT},
                )
            code = self._process.wait()
        with self._wake:
            self._process = None
        return code

    def _tail(self, job: JobFolder) -> str:
        text = (job.path / "log.txt").read_bytes()[-TAIL_CHARS:].decode("utf-8", "replace")
        return text.strip().rsplit("\n", 1)[-1]
