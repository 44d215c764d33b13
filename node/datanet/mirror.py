"""Brings this node's picture of all Datanets up to what the chain says: after a restart, and now and then.

Whatever this node did itself is on the chain too, so a crash between a transaction and its record is mended
here and needs no other memory.
"""

from __future__ import annotations

from dataclasses import dataclass

import structlog

from node.datanet.contracts import DatanetContracts
from node.datanet.contributions import Contributions
from node.datanet.review import Review
from node.datanet.versions import Versions
from node.errors import IntegrityError, NotFound
from node.store.datanet import DatanetTable, StoredContribution
from protocol.manifest import GRANTED, REVOKED

log = structlog.get_logger(component="datanet")


@dataclass(frozen=True)
class Progress:
    """How much was new."""

    contributions: int
    decisions: int
    consents: int
    versions: int


class DatanetMirror:
    """Reads contributions, decisions, consents, versions; what has no bytes here waits for the next time."""

    def __init__(
        self,
        table: DatanetTable,
        contracts: DatanetContracts,
        contributions: Contributions,
        review: Review,
        versions: Versions,
    ) -> None:
        self._table = table
        self._contracts = contracts
        self._contributions = contributions
        self._review = review
        self._versions = versions

    def catch_up(self) -> Progress:
        """Take over everything new; blocking."""
        contributions = len(self._contributions.adopt_new())
        datanets = range(1, self._contracts.datanet_count() + 1)
        overturned = self._contracts.overturned()
        decisions = sum(self._adopt_decisions(datanet, overturned) for datanet in datanets)
        consents = self._adopt_consents()
        versions = sum(self._load_versions(datanet) for datanet in datanets)
        return Progress(contributions, decisions, consents, versions)

    def _adopt_decisions(self, datanet: int, overturned: frozenset[int]) -> int:
        adopted = 0
        for contribution in self._table.contributions(datanet):
            if contribution.curator is not None and not self._is_overturned(contribution, overturned):
                continue
            try:
                adopted += self._review.adopt_decision(contribution.id)
            except (NotFound, IntegrityError) as error:
                log.warning("decision_not_adopted", contribution=contribution.id, reason=str(error))
        return adopted

    def _is_overturned(self, contribution: StoredContribution, overturned: frozenset[int]) -> bool:
        if contribution.id not in overturned:
            return False
        reasons = self._contracts.contribution(contribution.id).reasons
        return reasons is not None and reasons.text != contribution.reasons_cid

    def _adopt_consents(self) -> int:
        return sum(
            self._table.set_consent(datanet, digest, GRANTED if granted else REVOKED)
            for (datanet, digest), granted in self._contracts.consents().items()
        )

    def _load_versions(self, datanet: int) -> int:
        known = {version.version for version in self._table.versions(datanet)}
        loaded = 0
        for version in range(1, self._contracts.datanet(datanet).versions + 1):
            if version in known:
                continue
            try:
                self._versions.load(datanet, version)
                loaded += 1
            except (NotFound, IntegrityError) as error:
                log.warning("version_not_loaded", datanet=datanet, version=version, reason=str(error))
        return loaded
