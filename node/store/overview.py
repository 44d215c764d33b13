"""Counts over several tables for the status pages. It reads only, and answers in one query a question."""

from dataclasses import dataclass

from node.store.database import Database


@dataclass(frozen=True)
class Contributions:
    """Rows that were offered and what became of them; rows without a verdict are still to be reviewed."""

    batches: int
    contributors: int
    rows: int
    accepted: int
    versions: int


@dataclass(frozen=True)
class Answered:
    """Requests by how far they came, and the receipts among them."""

    accepted: int
    answered: int
    receipted: int
    abandoned: int
    signed: int


class OverviewStore:
    """Reads `contributions`, `contribution_rows`, `versions`, `jobs`, `receipts`, `accruals` and `claims`."""

    def __init__(self, database: Database) -> None:
        self._db = database

    def contributions(self) -> Contributions:
        """Stage 1 in numbers."""
        return Contributions(
            batches=self._count("SELECT count(*) FROM contributions"),
            contributors=self._count("SELECT count(DISTINCT contributor) FROM contributions"),
            rows=self._count("SELECT count(*) FROM contribution_rows"),
            accepted=self._count("SELECT count(*) FROM contribution_rows WHERE verdict = 'accepted'"),
            versions=self._count("SELECT count(*) FROM versions"),
        )

    def answered(self) -> Answered:
        """Stages 4 to 6 in numbers."""
        rows = self._db.execute("SELECT state, count(*) AS n FROM jobs GROUP BY state")
        states = {row["state"]: row["n"] for row in rows}
        signed = self._count("SELECT count(*) FROM receipts WHERE signature IS NOT NULL")
        return Answered(
            states.get("accepted", 0),
            states.get("answered", 0),
            states.get("receipted", 0),
            states.get("abandoned", 0),
            signed,
        )

    def earners(self) -> dict[str, int]:
        """How many answers have earned each account something."""
        rows = self._db.execute("SELECT earner, count(*) AS n FROM accruals GROUP BY earner")
        return {row["earner"]: row["n"] for row in rows}

    def settlement_of(self, channel_id: bytes, cumulative: int) -> tuple[int | None, str]:
        """The epoch that pays a channel up to `cumulative` wei, and how far that money has come."""
        epoch = self._epoch_reaching(channel_id, cumulative)
        if epoch is None:
            return None, "owed"
        return epoch, self._state(epoch)

    def epochs(self) -> tuple[int, int]:
        """How many epochs are committed, and how many of those are final."""
        committed = self._count("SELECT count(*) FROM commitments")
        return committed, self._count("SELECT count(*) FROM commitments WHERE final_block IS NOT NULL")

    def _epoch_reaching(self, channel_id: bytes, cumulative: int) -> int | None:
        paid = 0
        rows = self._db.execute(
            "SELECT epoch, delta FROM claims WHERE channel_id = ? ORDER BY block, position", (channel_id,)
        )
        for row in rows:
            paid += int(row["delta"])
            if paid >= cumulative:
                return self._moved_to(int(row["epoch"]))
        return None

    def _moved_to(self, epoch: int) -> int:
        """Money that its node did not state in time belongs to a later epoch."""
        rows = self._db.execute("SELECT from_epoch, to_epoch FROM rollovers ORDER BY block, position")
        for row in rows:
            epoch = int(row["to_epoch"]) if row["from_epoch"] == epoch else epoch
        return epoch

    def _state(self, epoch: int) -> str:
        committed = self._db.execute(
            "SELECT final_block FROM commitments WHERE epoch = ?", (epoch,)
        ).fetchone()
        if committed is not None:
            return "committed" if committed["final_block"] is None else "final"
        return (
            "stated" if self._count("SELECT count(*) FROM statements WHERE epoch = ?", epoch) else "claimed"
        )

    def _count(self, sql: str, *values: object) -> int:
        return int(self._db.execute(sql, values).rows[0][0])
