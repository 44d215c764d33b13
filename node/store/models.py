"""Training jobs and the mirror of the model registry, in SQL."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass

from node.errors import NotFound
from node.store.database import Database

OPEN_STATES = ("queued", "running")


@dataclass(frozen=True)
class StoredJob:
    """A job as ordered (`spec_json`) and as last heard of (`status_json`); `state` repeats the status's."""

    id: str
    fence: int
    datanet: int
    version: int
    spec_json: str
    status_json: str
    state: str
    created_at: int


@dataclass(frozen=True)
class StoredModel:
    """A registered model; `version` counts the registrations of its name from 1."""

    id: int
    name: str
    version: int
    owner: str
    status: int
    terms_json: str


class TrainingTable:
    """Jobs given to workers."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def add(self, job: StoredJob) -> None:
        self._database.execute(
            "INSERT INTO training_jobs"
            " (id, fence, datanet, version, spec_json, status_json, state, created_at)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
            (
                job.id,
                job.fence,
                job.datanet,
                job.version,
                job.spec_json,
                job.status_json,
                job.state,
                job.created_at,
            ),
        )

    def get(self, job_id: str) -> StoredJob:
        """The job with this id. Raises NotFound."""
        row = self._database.execute("SELECT * FROM training_jobs WHERE id = ?", (job_id,)).fetchone()
        if row is None:
            raise NotFound("no such training job", job_id=job_id)
        return StoredJob(**dict(row))

    def all(self) -> tuple[StoredJob, ...]:
        """Every job, oldest first."""
        rows = self._database.execute("SELECT * FROM training_jobs ORDER BY created_at, id")
        return tuple(StoredJob(**dict(row)) for row in rows)

    def unfinished(self) -> tuple[StoredJob, ...]:
        """The jobs that had not ended when last heard of, oldest first."""
        return tuple(job for job in self.all() if job.state in OPEN_STATES)

    def report(self, job_id: str, state: str, status_json: str) -> bool:
        """Record what is new; False if the job had ended already, in which case nothing changes."""
        changed = self._database.execute(
            "UPDATE training_jobs SET state = ?, status_json = ? WHERE id = ? AND state IN (?, ?)",
            (state, status_json, job_id, *OPEN_STATES),
        )
        return changed.rowcount == 1

    def renew(self, job_id: str, fence: int, spec_json: str) -> None:
        """Give the same order out again under a higher fencing token."""
        self._database.execute(
            "UPDATE training_jobs SET fence = ?, spec_json = ? WHERE id = ? AND fence < ?",
            (fence, spec_json, job_id, fence),
        )


class ModelTable:
    """Registered models by id, name and version."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put(self, model: StoredModel) -> None:
        """Record a model as read from the chain, in place of an earlier reading."""
        self._database.execute(
            "INSERT INTO models (id, name, version, owner, status, terms_json) VALUES (?, ?, ?, ?, ?, ?)"
            " ON CONFLICT (id) DO UPDATE SET name = excluded.name, version = excluded.version,"
            " owner = excluded.owner, status = excluded.status, terms_json = excluded.terms_json",
            (model.id, model.name, model.version, model.owner, model.status, model.terms_json),
        )

    def find(self, name: str, version: int) -> StoredModel | None:
        """The model of this name; version 0 means its latest."""
        row = self._database.execute(
            "SELECT * FROM models WHERE name = ? AND (? = 0 OR version = ?) ORDER BY version DESC LIMIT 1",
            (name, version, version),
        ).fetchone()
        return None if row is None else _model(row)

    def get(self, model_id: int) -> StoredModel | None:
        row = self._database.execute("SELECT * FROM models WHERE id = ?", (model_id,)).fetchone()
        return None if row is None else _model(row)

    def all(self) -> tuple[StoredModel, ...]:
        """Every known model by id."""
        return tuple(_model(row) for row in self._database.execute("SELECT * FROM models ORDER BY id"))


def _model(row: sqlite3.Row) -> StoredModel:
    return StoredModel(**dict(row))
