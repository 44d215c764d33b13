"""One turn of the settlement: see what the chain says, claim what is due, state, commit and finalize what
can be.

Each part reads the contracts before it acts, so that a turn may stop anywhere and the next one goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from node.errors import OpenLedgerError
from node.log import get_logger
from node.settlement.aggregator import Aggregator, Clock
from node.settlement.claimer import Claimer, Timing
from node.settlement.publisher import Publisher

log = get_logger("settlement")


@dataclass(frozen=True)
class Duties:
    """Which parts of the settlement this node takes; `claim_lead` is how long before an epoch's end it
    claims.
    """

    claim_vouchers: bool
    aggregate: bool
    claim_lead: int


class Settlement:
    """Runs the parts in the order in which money moves."""

    def __init__(
        self,
        follow: Callable[[], object],
        claimer: Claimer,
        publisher: Publisher,
        aggregator: Aggregator,
        clock: Clock,
        now: Callable[[], int],
        duties: Duties,
    ) -> None:
        self._follow = follow
        self._claimer = claimer
        self._publisher = publisher
        self._aggregator = aggregator
        self._clock = clock
        self._now = now
        self._duties = duties
        # Two turns at once would both see that a step is due, and the second would fail.
        self._one_at_a_time = threading.Lock()

    def step(self) -> None:
        """One turn; blocks while transactions are mined, and while another turn runs."""
        with self._one_at_a_time:
            self._turn()

    def _turn(self) -> None:
        self._follow()
        failures = []
        # One part that cannot go on, say for want of another node's statement, must not hold up the others.
        for part in (self._finalize, self._claim, self._publish, self._commit):
            try:
                part()
            except OpenLedgerError as error:
                failures.append(error)
                log.warning("settlement_part_failed", part=part.__name__, error=str(error))
            self._follow()
        if failures:
            raise failures[0]

    def _finalize(self) -> None:
        self._aggregator.finalize_due(self._now())

    def _claim(self) -> None:
        if self._duties.claim_vouchers:
            epoch = self._clock.epoch(self._now())
            self._claimer.claim_due(Timing(self._clock.end(epoch), self._duties.claim_lead))

    def _publish(self) -> None:
        self._publisher.publish_due(self._clock.epoch(self._now()))

    def _commit(self) -> None:
        if self._duties.aggregate:
            self._aggregator.commit_due(self._now())

    def open_work(self) -> bool:
        """Whether anything this node knows of is not final yet: vouchers to claim, epochs to state or to
        finalize.
        """
        self._follow()
        return self._claimer.has_claimable() or self._publisher.has_unstated() or self._aggregator.has_open()
