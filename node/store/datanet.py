"""Contributions, their rows, versions and row grants in SQL: a mirror of the chain, plus wrapped keys."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from node.errors import Conflict, NotFound
from node.store.database import Database


@dataclass(frozen=True)
class StoredContribution:
    """One batch on chain; `curator` and `reasons_cid` are None until it is decided."""

    id: int
    datanet: int
    contributor: str
    batch_root: bytes
    batch_cid: str
    curator: str | None = None
    reasons_cid: str | None = None


@dataclass(frozen=True)
class StoredRow:
    """One row of a batch; `verdict` is None until its batch is decided."""

    contribution: int
    position: int
    contributor: str
    digest: bytes
    cid: str
    gated: bool
    licence: str
    consent: str
    verdict: str | None = None


@dataclass(frozen=True)
class StoredVersion:
    datanet: int
    version: int
    parent: int
    manifest_cid: str
    content_root: bytes
    row_count: int


@dataclass(frozen=True)
class StoredGrant:
    datanet: int
    digest: bytes
    reader: bytes
    ephemeral: bytes
    wrapped: bytes


ROW_COLUMNS = "contribution, position, contributor, digest, cid, gated, licence, consent, verdict"
ROW_TABLES = "contribution_rows JOIN contributions ON contributions.id = contribution"


class DatanetTable:
    """All SQL of stage 1."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def put_contribution(self, contribution: StoredContribution, rows: Iterable[StoredRow]) -> None:
        """Record a batch and its rows; recording the same batch again changes nothing.

        Raises Conflict where the id is known with another batch.
        """
        with self._database.transaction():
            known = self._find_contribution(contribution.id)
            if known is not None:
                _same_batch(known, contribution)
                return
            self._database.execute(
                "INSERT INTO contributions (id, datanet, contributor, batch_root, batch_cid)"
                " VALUES (?, ?, ?, ?, ?)",
                (
                    contribution.id,
                    contribution.datanet,
                    contribution.contributor,
                    contribution.batch_root,
                    contribution.batch_cid,
                ),
            )
            self._database.executemany(
                "INSERT INTO contribution_rows"
                " (contribution, position, digest, cid, gated, licence, consent)"
                " VALUES (?, ?, ?, ?, ?, ?, ?)",
                (
                    (row.contribution, row.position, row.digest, row.cid, row.gated, row.licence, row.consent)
                    for row in rows
                ),
            )

    def contribution(self, contribution: int) -> StoredContribution:
        """The batch with this id. Raises NotFound."""
        found = self._find_contribution(contribution)
        if found is None:
            raise NotFound("contribution is not known here", contribution=contribution)
        return found

    def contributions(self, datanet: int) -> tuple[StoredContribution, ...]:
        """Every known batch of a Datanet, earliest first."""
        rows = self._database.execute("SELECT * FROM contributions WHERE datanet = ? ORDER BY id", (datanet,))
        return tuple(_contribution(row) for row in rows)

    def known_contributions(self) -> frozenset[int]:
        """Every id that is mirrored here."""
        return frozenset(int(row["id"]) for row in self._database.execute("SELECT id FROM contributions"))

    def decide(self, contribution: int, curator: str, reasons_cid: str, verdicts: Mapping[int, str]) -> None:
        """Record a decision: the verdict of each position, and where the reasons are."""
        with self._database.transaction():
            self._database.execute(
                "UPDATE contributions SET curator = ?, reasons_cid = ? WHERE id = ?",
                (curator, reasons_cid, contribution),
            )
            self._database.executemany(
                "UPDATE contribution_rows SET verdict = ? WHERE contribution = ? AND position = ?",
                ((verdict, contribution, position) for position, verdict in verdicts.items()),
            )

    def rows(self, datanet: int, below: int | None = None) -> tuple[StoredRow, ...]:
        """Every row of a Datanet in order of submission; only contributions before `below`, where given."""
        rows = self._database.execute(
            f"SELECT {ROW_COLUMNS} FROM {ROW_TABLES}"
            " WHERE datanet = ? AND (? IS NULL OR contribution < ?) ORDER BY contribution, position",
            (datanet, below, below),
        )
        return tuple(_row(row) for row in rows)

    def rows_of(self, contribution: int) -> tuple[StoredRow, ...]:
        """The rows of one batch in order."""
        rows = self._database.execute(
            f"SELECT {ROW_COLUMNS} FROM {ROW_TABLES} WHERE contribution = ? ORDER BY position",
            (contribution,),
        )
        return tuple(_row(row) for row in rows)

    def set_consent(self, datanet: int, digest: bytes, consent: str) -> int:
        """Change the consent of every row with this digest; return how many had another one."""
        return self._database.execute(
            "UPDATE contribution_rows SET consent = ? WHERE digest = ? AND consent != ?"
            " AND contribution IN (SELECT id FROM contributions WHERE datanet = ?)",
            (consent, digest, consent, datanet),
        ).rowcount

    def put_version(self, version: StoredVersion) -> None:
        self._database.execute(
            "INSERT OR IGNORE INTO versions (datanet, version, parent, manifest_cid, content_root, row_count)"
            " VALUES (?, ?, ?, ?, ?, ?)",
            (
                version.datanet,
                version.version,
                version.parent,
                version.manifest_cid,
                version.content_root,
                version.row_count,
            ),
        )

    def version(self, datanet: int, version: int) -> StoredVersion:
        """One published version. Raises NotFound."""
        for found in self.versions(datanet):
            if found.version == version:
                return found
        raise NotFound("version is not known here", datanet=datanet, version=version)

    def versions(self, datanet: int) -> tuple[StoredVersion, ...]:
        """Every known version of a Datanet, first to last."""
        rows = self._database.execute("SELECT * FROM versions WHERE datanet = ? ORDER BY version", (datanet,))
        return tuple(
            StoredVersion(
                row["datanet"],
                row["version"],
                row["parent"],
                row["manifest_cid"],
                bytes(row["content_root"]),
                row["row_count"],
            )
            for row in rows
        )

    def put_grants(self, grants: Iterable[StoredGrant]) -> None:
        """Keep wrapped secrets; a new grant to the same reader replaces the old one."""
        self._database.executemany(
            "INSERT OR REPLACE INTO row_grants (datanet, digest, reader, ephemeral, wrapped)"
            " VALUES (?, ?, ?, ?, ?)",
            ((grant.datanet, grant.digest, grant.reader, grant.ephemeral, grant.wrapped) for grant in grants),
        )

    def grant(self, datanet: int, digest: bytes, reader: bytes) -> StoredGrant | None:
        """The secret of a row as wrapped for `reader`, if it ever was and is not erased."""
        rows = self._database.execute(
            "SELECT * FROM row_grants WHERE datanet = ? AND digest = ? AND reader = ?",
            (datanet, digest, reader),
        )
        for row in rows:
            return StoredGrant(datanet, digest, reader, bytes(row["ephemeral"]), bytes(row["wrapped"]))
        return None

    def erase_grants(self, datanet: int, digest: bytes) -> int:
        """Delete every wrapped secret of a row, from the log and the free pages too; return how many."""
        deleted = self._database.execute(
            "DELETE FROM row_grants WHERE datanet = ? AND digest = ?", (datanet, digest)
        ).rowcount
        self._database.checkpoint()
        return deleted

    def _find_contribution(self, contribution: int) -> StoredContribution | None:
        row = self._database.execute("SELECT * FROM contributions WHERE id = ?", (contribution,)).fetchone()
        return None if row is None else _contribution(row)


def _same_batch(known: StoredContribution, offered: StoredContribution) -> None:
    if (known.datanet, known.batch_root) != (offered.datanet, offered.batch_root):
        raise Conflict(
            "contribution id is known with another batch",
            contribution=known.id,
            known=known.batch_root.hex(),
            offered=offered.batch_root.hex(),
        )


def _contribution(row: sqlite3.Row) -> StoredContribution:
    return StoredContribution(
        row["id"],
        row["datanet"],
        row["contributor"],
        bytes(row["batch_root"]),
        row["batch_cid"],
        row["curator"],
        row["reasons_cid"],
    )


def _row(row: sqlite3.Row) -> StoredRow:
    return StoredRow(
        row["contribution"],
        row["position"],
        row["contributor"],
        bytes(row["digest"]),
        row["cid"],
        bool(row["gated"]),
        row["licence"],
        row["consent"],
        row["verdict"],
    )
