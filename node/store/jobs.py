"""Paid requests on disk: recorded before any work, answered once, never deleted.

Every change of state names the state it expects, so that a late or repeated call changes nothing.
"""

from __future__ import annotations

import sqlite3
from dataclasses import asdict, dataclass, fields
from typing import Literal

from node.errors import Conflict, NotFound, StaleFence
from node.store.database import Database

JobState = Literal["accepted", "answered", "receipted", "abandoned"]


class IdempotencyConflict(Conflict):
    """The same idempotency key came with another body."""


@dataclass(frozen=True)
class StoredJob:
    """One row of `jobs`; amounts in wei, times in unix seconds, `*_json` canonical JSON text."""

    request_id: bytes
    channel_id: bytes
    idempotency_key: str
    body_digest: bytes
    session_id: bytes | None
    order_json: str
    model_json: str
    prompt_salt: bytes
    reserved: int
    requested_at: int
    parameters_version: int
    state: JobState = "accepted"
    fence: int = 0
    result_json: str | None = None
    failure: str | None = None


COLUMNS = tuple(field.name for field in fields(StoredJob))
NAMES = ", ".join(COLUMNS)


def _job(row: sqlite3.Row) -> StoredJob:
    return StoredJob(**{**dict(row), "reserved": int(row["reserved"])})


def _values(job: StoredJob) -> dict[str, object]:
    return {**asdict(job), "reserved": str(job.reserved)}


class JobStore:
    """The `jobs` table."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def find(self, request_id: bytes) -> StoredJob | None:
        row = self._db.execute(f"SELECT {NAMES} FROM jobs WHERE request_id = ?", (request_id,)).fetchone()
        return None if row is None else _job(row)

    def get(self, request_id: bytes) -> StoredJob:
        job = self.find(request_id)
        if job is None:
            raise NotFound("no such request", request_id="0x" + request_id.hex())
        return job

    def find_same(self, request_id: bytes, body_digest: bytes) -> StoredJob | None:
        """The job already recorded under this id, if its body is the same; IdempotencyConflict if it is
        not.
        """
        job = self.find(request_id)
        if job is not None and job.body_digest != body_digest:
            raise IdempotencyConflict(
                "this idempotency key was used with another body", key=job.idempotency_key
            )
        return job

    def insert(self, job: StoredJob) -> None:
        """Record a new job, or raise Conflict where its id is taken."""
        marks = ", ".join(f":{name}" for name in COLUMNS)
        try:
            self._db.execute(f"INSERT INTO jobs ({NAMES}) VALUES ({marks})", _values(job))
        except sqlite3.IntegrityError as error:
            raise Conflict(
                "the request is already recorded", request_id="0x" + job.request_id.hex()
            ) from error

    def revive(self, job: StoredJob) -> None:
        """Put a fresh order in place of an abandoned one: nothing was charged for it, so its key may be
        used again.
        """
        changed = self._db.execute(
            "UPDATE jobs SET state = 'accepted', failure = NULL, session_id = :session_id,"
            " model_json = :model_json, reserved = :reserved, requested_at = :requested_at,"
            " parameters_version = :parameters_version"
            " WHERE request_id = :request_id AND state = 'abandoned'",
            _values(job),
        ).rowcount
        if changed != 1:
            raise Conflict("the request is not abandoned", request_id="0x" + job.request_id.hex())

    def next_fence(self, request_id: bytes) -> int:
        """A new fencing token for one assignment; every earlier token of the job is void from now on."""
        with self._db.transaction():
            self._db.execute("UPDATE jobs SET fence = fence + 1 WHERE request_id = ?", (request_id,))
            return self.get(request_id).fence

    def check_fence(self, request_id: bytes, fence: int) -> None:
        """Raise StaleFence unless `fence` is the job's newest assignment."""
        current = self.get(request_id).fence
        if fence != current:
            raise StaleFence("the assignment is no longer current", fence=fence, current=current)

    def answer(self, request_id: bytes, fence: int, result_json: str) -> None:
        """Persist the result of the newest assignment; StaleFence refuses any other."""
        changed = self._db.execute(
            "UPDATE jobs SET state = 'answered', result_json = ?"
            " WHERE request_id = ? AND fence = ? AND state = 'accepted'",
            (result_json, request_id, fence),
        ).rowcount
        if changed != 1:
            job = self.get(request_id)
            raise StaleFence("the result is late", fence=fence, current=job.fence, state=job.state)

    def mark_receipted(self, request_id: bytes) -> None:
        self._db.execute(
            "UPDATE jobs SET state = 'receipted' WHERE request_id = ? AND state = 'answered'", (request_id,)
        )

    def abandon(self, request_id: bytes, failure: str) -> None:
        """Give the job up: its reservation ends and nothing is charged. Only a job without a result can
        be.
        """
        self._db.execute(
            "UPDATE jobs SET state = 'abandoned', failure = ? WHERE request_id = ? AND state = 'accepted'",
            (failure, request_id),
        )

    def in_state(self, state: JobState) -> tuple[StoredJob, ...]:
        """Jobs in one state, oldest first."""
        rows = self._db.execute(
            f"SELECT {NAMES} FROM jobs WHERE state = ? ORDER BY requested_at, request_id", (state,)
        )
        return tuple(_job(row) for row in rows)

    def reserved(self, channel_id: bytes) -> int:
        """Wei that the channel's open jobs may still cost at worst."""
        rows = self._db.execute(
            "SELECT reserved FROM jobs WHERE channel_id = ? AND state IN ('accepted', 'answered')",
            (channel_id,),
        )
        return sum(int(row["reserved"]) for row in rows)

    def counts(self) -> dict[str, int]:
        """How many jobs are in each state."""
        rows = self._db.execute("SELECT state, count(*) AS n FROM jobs GROUP BY state")
        return {row["state"]: row["n"] for row in rows}
