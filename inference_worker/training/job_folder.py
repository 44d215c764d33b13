"""One job on disk: specification, status, cancel mark and working files, readable after any kill.

No row's text is ever written here: checkpoints and results hold tensors, digests and figures.
"""

from __future__ import annotations

import json
import os
from dataclasses import replace
from pathlib import Path

from protocol.wire_jobs import JobSpec, JobState, JobStatus

ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")


class JobFolder:
    """The files of one job. Status changes replace a file, so a reader never sees half of one."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def work(self) -> Path:
        """Where checkpoints and snapshots live."""
        return self.path / "work"

    def create(self, spec: JobSpec) -> None:
        """Write a new job, queued."""
        self.work.mkdir(parents=True, exist_ok=True)
        self._replace("status.json", queued(spec.job_id).to_json())
        # Last, because a folder counts as a job once it has a specification.
        self._replace("spec.json", spec.to_json())

    def exists(self) -> bool:
        """Whether a job was fully created here."""
        return (self.path / "spec.json").is_file()

    def spec(self) -> JobSpec:
        """What was ordered."""
        return JobSpec.from_json(json.loads((self.path / "spec.json").read_text(encoding="utf-8")))

    def renew(self, spec: JobSpec) -> None:
        """The same order under a newer fencing token."""
        self._replace("spec.json", spec.to_json())

    def status(self) -> JobStatus:
        """Where the job stands."""
        return JobStatus.from_json(json.loads((self.path / "status.json").read_text(encoding="utf-8")))

    def write(self, status: JobStatus) -> None:
        """Replace the status."""
        self._replace("status.json", status.to_json())

    def finish(self, state: JobState, message: str, result: dict[str, object] | None = None) -> None:
        """Enter a final state, keeping the last step and loss."""
        self.write(replace(self.status(), state=state, message=message, result=result, eta_seconds=None))

    def ended(self) -> bool:
        """Whether the job is in a final state."""
        return self.status().state in ENDED

    def cancel(self) -> None:
        """Ask the running process to stop at its next step."""
        (self.path / "cancel").touch()

    def is_cancelled(self) -> bool:
        """Whether `cancel` was called."""
        return (self.path / "cancel").exists()

    def _replace(self, name: str, value: dict[str, object]) -> None:
        aside = self.path / f"{name}.part"
        with aside.open("w", encoding="utf-8") as sink:
            json.dump(value, sink, sort_keys=True)
            sink.flush()
            os.fsync(sink.fileno())
        aside.replace(self.path / name)


def queued(job_id: str) -> JobStatus:
    """The status of a job that waits."""
    return JobStatus(job_id, "queued", "queued", 0, 0, None, None, "", None)
