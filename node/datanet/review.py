"""The curator at work: reads a contribution's rows, decides them, publishes the reasons, and records both."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

import structlog

from node.blobs.sealed import CannotOpen
from node.blobs.store import BlobStore
from node.datanet.contracts import DatanetContracts
from node.datanet.curation import Candidate, CodeSystem, Decision, Reason, Verdict, count_verdicts, review
from node.datanet.gated import RowMismatch, RowVault
from node.datanet.reasons import MAX_REASONS_BYTES, decode_reasons, encode_reasons, object_to
from node.errors import Conflict, IntegrityError
from node.store.datanet import DatanetTable, StoredRow
from protocol.cid import parse_cid
from protocol.errors import ProtocolError
from protocol.manifest import Row

log = structlog.get_logger(component="datanet")


class Review:
    """Decides contributions as our account, which must be a curator. `code_systems` by Datanet kind."""

    def __init__(
        self,
        table: DatanetTable,
        blobs: BlobStore,
        vault: RowVault,
        contracts: DatanetContracts,
        code_systems: Mapping[str, CodeSystem],
    ) -> None:
        self._table = table
        self._blobs = blobs
        self._vault = vault
        self._contracts = contracts
        self._code_systems = code_systems

    def decide(self, contribution: int, objections: Mapping[int, str] | None = None) -> tuple[Decision, ...]:
        """Judge every row of a contribution, put the reasons where all can read them, decide on chain.

        `objections`, by position, are rejections of the curator's own, in words that will be public. Raises
        Conflict while an earlier contribution is undecided: what is a copy depends on what came before.
        """
        stored = self._table.contribution(contribution)
        self._check_turn(stored.datanet, contribution)
        decisions = object_to(self.propose(contribution), objections or {})
        reasons = self._blobs.put(encode_reasons(contribution, decisions), f"reasons {contribution}")
        accepted, rejected = count_verdicts(decisions)
        self._contracts.decide(contribution, accepted, rejected, reasons)
        self._record(contribution, decisions, self._contracts.account, reasons.text)
        log.info("contribution_decided", contribution=contribution, accepted=accepted, rejected=rejected)
        return decisions

    def propose(self, contribution: int) -> tuple[Decision, ...]:
        """What `decide` would decide, without doing anything."""
        datanet = self._table.contribution(contribution).datanet
        earlier = (row for row in self._table.rows(datanet, contribution) if row.verdict != Verdict.REJECTED)
        batch = self._table.rows_of(contribution)
        candidates = [*self._candidates(datanet, earlier), *self._candidates(datanet, iter(batch))]
        decisions = review(candidates, self.code_system(datanet))
        return tuple(decision for decision in decisions if decision.place[0] == contribution)

    def adopt_decision(self, contribution: int) -> bool:
        """Take over the decision that a curator made elsewhere; False while there is none.

        Raises NotFound where the reasons are not here, IntegrityError where they are not about this batch.
        """
        on_chain = self._contracts.contribution(contribution)
        if on_chain.curator is None or on_chain.reasons is None:
            return False
        data = self._blobs.get(on_chain.reasons, MAX_REASONS_BYTES)
        try:
            decisions = decode_reasons(data, contribution)
        except ProtocolError as error:
            raise IntegrityError("not a file of reasons", cid=on_chain.reasons.text) from error
        if len(decisions) != on_chain.row_count:
            raise IntegrityError("reasons miss rows", rows=on_chain.row_count, decided=len(decisions))
        self._record(contribution, decisions, on_chain.curator, on_chain.reasons.text)
        return True

    def code_system(self, datanet: int) -> CodeSystem | None:
        """What the Datanet's completions must be, None where they are free text."""
        return self._code_systems.get(self._contracts.datanet(datanet).kind)

    def _check_turn(self, datanet: int, contribution: int) -> None:
        for earlier in self._table.contributions(datanet):
            if earlier.id < contribution and earlier.curator is None:
                raise Conflict(
                    "an earlier contribution is undecided", asked=contribution, undecided=earlier.id
                )

    def _candidates(self, datanet: int, rows: Iterator[StoredRow]) -> Iterator[Candidate]:
        for row in rows:
            yield Candidate((row.contribution, row.position), self._read(datanet, row))

    def _read(self, datanet: int, row: StoredRow) -> Row | Reason:
        # Absent bytes and rot on our own disk are no fault of the row's: those errors stop the review.
        try:
            return self._vault.read(datanet, row.digest, parse_cid(row.cid), row.gated)[0]
        except CannotOpen:
            return Reason.UNREADABLE
        except RowMismatch:
            return Reason.MISMATCH

    def _record(self, contribution: int, decisions: tuple[Decision, ...], curator: str, cid: str) -> None:
        verdicts = {decision.place[1]: decision.verdict.value for decision in decisions}
        self._table.decide(contribution, curator, cid, verdicts)
